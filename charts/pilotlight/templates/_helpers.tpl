{{- /* The operator looks for its gateways by these labels: the name is not to be changed. */}}
{{- define "pilotlight.fullname" -}}
{{- if contains "pilotlight" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-pilotlight" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- /* Names of what is not in a namespace: two releases may have one name. */}}
{{- define "pilotlight.clusterName" -}}
{{ .Release.Namespace }}-{{ include "pilotlight.fullname" . }}
{{- end }}

{{- /* Called with (list $ "gateway"), as what follows. */}}
{{- define "pilotlight.selector" -}}
app.kubernetes.io/name: pilotlight
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "pilotlight.selectorArgument" -}}
app.kubernetes.io/name=pilotlight,app.kubernetes.io/instance={{ (index . 0).Release.Name }},app.kubernetes.io/component={{ index . 1 }}
{{- end }}

{{- /* Of the chart's own objects. managed-by is Helm: pilotlight is on what the operator makes. */}}
{{- define "pilotlight.labels" -}}
{{- $root := index . 0 -}}
{{ include "pilotlight.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "pilotlight.account" -}}
{{ include "pilotlight.fullname" (index . 0) }}-{{ index . 1 }}
{{- end }}

{{- define "pilotlight.image" -}}
{{- $root := index . 0 -}}
{{ $root.Values.images.prefix }}{{ index . 1 }}:{{ $root.Values.images.tag | default $root.Chart.AppVersion }}
{{- end }}

{{- define "pilotlight.internalService" -}}
{{ include "pilotlight.fullname" . }}-gateway-internal
{{- end }}

{{- define "pilotlight.callHomeSecret" -}}
{{ .Values.callHome.existingSecret | default (printf "%s-call-home" (include "pilotlight.fullname" .)) }}
{{- end }}

{{- define "pilotlight.callHomeMount" -}}
- {name: call-home-keys, mountPath: /etc/pilotlight-call-home, readOnly: true}
{{- end }}

{{- define "pilotlight.callHomeVolume" -}}
- name: call-home-keys
  secret: {secretName: {{ include "pilotlight.callHomeSecret" . }}}
{{- end }}

{{- /* Of a pod. With containerSecurity this is what the Pod Security level "restricted" asks for, and more. */}}
{{- define "pilotlight.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "pilotlight.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "pilotlight.podMetadata" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}{{- $values := index $root.Values $component -}}
labels:
  {{- include "pilotlight.labels" . | nindent 2 }}
  {{- with $values.podLabels }}{{ toYaml . | nindent 2 }}{{ end }}
{{- $annotations := dict }}
{{- if $root.Values.metrics.annotations }}
{{- $annotations = dict "prometheus.io/scrape" "true" "prometheus.io/path" "/metrics" "prometheus.io/port" (ternary "8082" "8081" (eq $component "operator")) }}
{{- end }}
{{- with index $root.Values.settings $component }}
{{- $_ := set $annotations "pilotlight.dev/settings" (toYaml . | sha256sum | trunc 16) }}
{{- end }}
{{- with merge (deepCopy $values.podAnnotations) $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "pilotlight.placement" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}{{- $values := index $root.Values $component -}}
{{- /* Apart where that is possible; one node alone still runs them all. The scheduler leaves nodes that lack the label of any
constraint out of the scoring of all, so zones, which not every cluster has, are no second one. */}}
topologySpreadConstraints:
  - topologyKey: kubernetes.io/hostname
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "pilotlight.selector" (list $root $component) | nindent 8 }}
affinity:
{{- with $values.affinity }}
  {{- toYaml . | nindent 2 }}
{{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: topology.kubernetes.io/zone
          labelSelector:
            matchLabels:
              {{- include "pilotlight.selector" (list $root $component) | nindent 14 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* Operator and gateways must have the same: one says what the other does. */}}
{{- define "pilotlight.hostRules" -}}
- --domain={{ .Values.domain }}
- --cluster-domain={{ .Values.clusterDomain }}
{{- range .Values.hosts }}
- {{ printf "--allow-host=%s=%s" .suffix (join "," .namespaces) | toJson }}
{{- end }}
{{- end }}

{{- /* The file of a component's settings: its flag, mount and volume, where there are any. */}}
{{- define "pilotlight.settingsFlag" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}
{{- if index $root.Values.settings $component }}
- --config=/etc/pilotlight/{{ $component }}.yaml
{{- end }}
{{- end }}

{{- define "pilotlight.settingsMount" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}
{{- if index $root.Values.settings $component }}
- {name: settings, mountPath: /etc/pilotlight, readOnly: true}
{{- end }}
{{- end }}

{{- define "pilotlight.settingsVolume" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}
{{- if index $root.Values.settings $component }}
- name: settings
  configMap: {name: {{ include "pilotlight.fullname" $root }}-settings, items: [{key: {{ $component }}.yaml, path: {{ $component }}.yaml}]}
{{- end }}
{{- end }}

{{- define "pilotlight.podIdentity" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: POD_UID
  valueFrom: {fieldRef: {fieldPath: metadata.uid}}
{{- end }}
