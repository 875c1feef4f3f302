"""The Kubernetes API as a test needs it: plain HTTPS, and waiting by watching."""
import http.client
import json
import os
import ssl
import subprocess
import time
import urllib.parse

STATE = os.environ["PILOTLIGHT_STATE"]
DEADLINE = 60  # seconds, for what happens by itself on a busy machine


def kubectl(*arguments, stdin=None, check=True):
    return subprocess.run([os.environ["KUBECTL"], *arguments], input=stdin, capture_output=True, text=True, check=check)


def part(command, name):
    """Of the API: killed, or started again."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api.sh")
    subprocess.run([script, command, STATE, name], check=True)


def _read(path):
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


_port = int(_read(f"{STATE}/run/port"))
_token = _read(f"{STATE}/pki/admin.token")
_tls = ssl.create_default_context(cafile=f"{STATE}/pki/ca.crt")


def _connect(timeout):
    return http.client.HTTPSConnection("127.0.0.1", _port, context=_tls, timeout=timeout)


class ApiError(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status = status


def call(method, path, body=None, kind="application/json"):
    connection = _connect(DEADLINE)
    try:
        headers = {"Authorization": "Bearer " + _token, "Content-Type": kind}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status >= 300:
            raise ApiError(answer.status, text)
        return json.loads(text)
    finally:
        connection.close()


def get(path):
    """None when it is not there."""
    try:
        return call("GET", path)
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def items(path):
    return call("GET", path)["items"]


def merge(path, patch):
    return call("PATCH", path, patch, "application/merge-patch+json")


def delete(path, grace=None, uid=None):
    options = {"apiVersion": "v1", "kind": "DeleteOptions"}
    if grace is not None:
        options["gracePeriodSeconds"] = grace
    if uid is not None:
        options["preconditions"] = {"uid": uid}
    try:
        call("DELETE", path, options)
    except ApiError as error:
        if error.status not in (404, 409):
            raise


def watch(path, since, seconds=DEADLINE, selector=""):
    """Events after a resourceVersion, each with the moment at which it came."""
    query = {"watch": "1", "resourceVersion": since, "timeoutSeconds": str(int(seconds) + 1)}
    if selector:
        query["labelSelector"] = selector
    connection = _connect(seconds + 5)
    try:
        connection.request("GET", f"{path}?{urllib.parse.urlencode(query)}", headers={"Authorization": "Bearer " + _token})
        answer = connection.getresponse()
        while line := answer.readline():
            yield json.loads(line), time.monotonic()
    finally:
        connection.close()


def eventually(holds, what="it", seconds=DEADLINE):
    """Asks until it is true (what is returned is what `holds` said) or the time is over."""
    end = time.monotonic() + seconds
    while True:
        if value := holds():
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


FUNCTIONS = "/apis/pilotlight.dev/v1alpha1/namespaces/default/functions"
VERSIONS = "/apis/pilotlight.dev/v1alpha1/namespaces/default/functionversions"
ROUTES = "/apis/pilotlight.dev/v1alpha1/namespaces/default/functionroutes"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/pilotlight-system/leases/pilotlight-operator"
GATEWAY_PODS = "/api/v1/namespaces/pilotlight-system/pods"


def replicas(deployment):
    found = get(f"{DEPLOYMENTS}/{deployment}")
    return None if found is None else found["spec"]["replicas"]


def acknowledged(name):
    """Who has acknowledged the route's generation."""
    route = get(f"{ROUTES}/{name}")
    acks = (route or {}).get("status", {}).get("gateways", [])
    return {ack["gateway"] for ack in acks if ack["observedGeneration"] >= route["metadata"]["generation"]}


def entries(name):
    route = get(f"{ROUTES}/{name}")
    return {ack["gateway"] for ack in (route or {}).get("status", {}).get("gateways", [])}


def is_ready(name):
    conditions = (get(f"{FUNCTIONS}/{name}") or {}).get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
