"""Operator and gateway on a real Kubernetes API. Each test has Functions of its own; the programs are shared unless it says so."""
import http.client
import json
import os
import signal
import statistics
import sys
import threading
import time
import unittest

import api
from api import eventually
from kubelet import Kubelet
from programs import Gateway, Operator, ask, make_keys, ready


LEASE = 8  # seconds: short, for those who wait until it has run out


def function(name, **spec):
    """An echo."""
    base = {"image": "example/echo", "runtime": "exec", "handler": ["/bin/cat"], "scale": {"initial": 0, "toZeroAfter": "1h"}}
    return {"apiVersion": "pilotlight.dev/v1alpha1", "kind": "Function", "metadata": {"name": name, "namespace": "default"},
            "spec": base | spec}


def apply(*functions):
    api.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": functions}))


def remove(*names):
    api.kubectl("delete", "fn", *names, "--wait=false", "--ignore-not-found")


class Cluster(unittest.TestCase):
    """A gateway and an operator that leads."""

    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway("gw-0")
        cls.operator = Operator(cls.gateway.internal)
        cls.operator.said("operator started")
        cls.operator.said("gateway is heard")

    @classmethod
    def tearDownClass(cls):
        api.kubectl("delete", "fn", "--all", "--timeout=60s")
        codes = cls.operator.end(), cls.gateway.end()
        assert codes == (0, 0), (codes, cls.operator.lines[-10:])

    def ask(self, name, body=None, gateway=None):
        return ask((gateway or self.gateway).address, "/", f"{name}.default.localhost", "POST" if body else "GET", body)

    def make(self, name, **spec):
        apply(function(name, **spec))
        self.addCleanup(remove, name)
        eventually(lambda: api.is_ready(name), f"{name} is Ready")


class Applied(Cluster):
    def test_becomes_a_version_a_deployment_at_zero_and_a_route_that_is_acknowledged(self):
        self.make("made")
        version = api.get(f"{api.VERSIONS}/made-00001")
        self.assertEqual(version["spec"]["function"], "made")
        deployment = api.get(f"{api.DEPLOYMENTS}/made-00001")
        self.assertEqual(deployment["spec"]["replicas"], 0)
        owners = [entry["manager"] for entry in deployment["metadata"]["managedFields"]
                  if "f:replicas" in entry["fieldsV1"].get("f:spec", {})]
        self.assertEqual(owners, ["pilotlight-autoscaler"])
        self.assertEqual(api.acknowledged("made"), {"gw-0"})
        self.assertEqual(api.get(f"{api.SERVICES}/made")["spec"]["type"], "ExternalName")
        status = api.get(f"{api.FUNCTIONS}/made")["status"]
        self.assertEqual((status["versions"]["stable"], status["url"]), (1, "http://made.default.localhost"))

    def test_leaves_nothing_when_deleted(self):
        self.make("brief")
        api.kubectl("delete", "fn", "brief", "--timeout=60s")
        kinds = (api.VERSIONS, api.ROUTES, api.DEPLOYMENTS, api.SERVICES, api.PODS,
                 "/apis/apps/v1/namespaces/default/replicasets", api.ACCOUNTS)

        def left():
            return [item["metadata"]["name"] for kind in kinds for item in api.items(kind)
                    if item["metadata"]["name"].startswith("brief")]

        eventually(lambda: not left(), "everything of it is gone")
        eventually(lambda: self.ask("brief")[0] == 404, "the gateway knows it no more")

    def test_a_namespace_that_is_being_deleted_is_no_error(self):
        api.kubectl("create", "namespace", "leaving")
        gone = function("gone")
        gone["metadata"]["namespace"] = "leaving"
        apply(gone)
        deployments = "/apis/apps/v1/namespaces/leaving/deployments"
        eventually(lambda: api.items(deployments), "its Deployment")
        # Whoever empties namespaces is away: so the Function is there longer than what the operator would make again.
        api.part("kill", "kube-controller-manager")
        try:
            api.delete("/api/v1/namespaces/leaving")
            api.delete(f"{deployments}/gone-00001")
            refused = 'pilotlight_operator_reconcile_total{result="conflict"}'
            before = self.operator.metric(refused) or 0
            eventually(lambda: (self.operator.metric(refused) or 0) > before + 1, "it was refused")
        finally:
            api.part("start", "kube-controller-manager")
        eventually(lambda: api.get("/api/v1/namespaces/leaving") is None, "the namespace is gone")
        loud = [line for line in self.operator.lines if line.get("level") in ("warning", "error") and "leaving" in json.dumps(line)]
        self.assertEqual(loud, [])

    def test_says_what_is_wrong(self):
        self.make("clashing")
        api.kubectl("apply", "-f", "-", stdin=json.dumps(function("second", http={"hosts": ["clashing.default.localhost"]})))
        self.addCleanup(remove, "second")
        eventually(lambda: "HostPathConflict" in json.dumps(api.get(f"{api.FUNCTIONS}/second").get("status", {})), "a condition")


class ColdStart(Cluster):
    def test_a_request_at_zero_raises_the_scale_and_is_answered_by_the_replica_that_calls_home(self):
        self.make("cold", scale={"initial": 0, "toZeroAfter": "2s"})
        kubelet = Kubelet(ready=False)
        self.addCleanup(kubelet.stop)
        began = time.monotonic()
        self.assertEqual(self.ask("cold", "light"), (200, "light"))
        print(f"zero to answer, without a node's own time: {(time.monotonic() - began) * 1000:.0f} ms")
        pod = api.get(f"{api.PODS}/{kubelet.started[0]}")
        self.assertNotIn("Ready", [each["type"] for each in pod["status"].get("conditions", [])], "nobody waited for the kubelet")
        self.assertEqual(self.ask("cold", "warm"), (200, "warm"))
        eventually(lambda: api.replicas("cold-00001") == 0, "idle: back to zero")
        eventually(lambda: not api.items(api.PODS + "?labelSelector=pilotlight.dev/function=cold"), "no pod is left")
        self.assertEqual(self.ask("cold", "again"), (200, "again"))

    def test_the_patch_follows_the_request_within_milliseconds(self):
        names = [f"wake-{i}" for i in range(20)]
        apply(*[function(name) for name in names])
        self.addCleanup(remove, *names)
        for name in names:
            eventually(lambda name=name: api.is_ready(name), f"{name} is Ready")
        since = api.call("GET", api.DEPLOYMENTS)["metadata"]["resourceVersion"]
        raised = {}
        began = {}

        def follow():
            for event, at in api.watch(api.DEPLOYMENTS, since, selector="pilotlight.dev/function"):
                deployment = event["object"]
                if deployment["kind"] == "Deployment" and deployment["spec"]["replicas"] > 0:
                    raised.setdefault(deployment["metadata"]["labels"]["pilotlight.dev/function"], at)
                if len(raised) == len(names):
                    return

        follower = threading.Thread(target=follow)
        follower.start()
        for name in names:
            ip, port = self.gateway.address.rsplit(":", 1)
            connection = http.client.HTTPConnection(ip, int(port))
            self.addCleanup(connection.close)
            connection.connect()
            began[name] = time.monotonic()
            connection.request("GET", "/", headers={"Host": f"{name}.default.localhost"})
            eventually(lambda name=name: name in raised, f"{name} is raised")
        follower.join()
        took = sorted((raised[name] - began[name]) * 1000 for name in names)
        print(f"request to scale seen in a watch: median {statistics.median(took):.1f} ms, highest {took[-1]:.1f} ms")
        self.assertLess(statistics.median(took), 1000)
        text = ask(self.gateway.internal, "/metrics")[1]
        for phase in "sent", "answered":
            lines = [line for line in text.splitlines() if line.startswith("pilotlight_gateway_wake_seconds_") and phase in line]
            counts = [(line.split('le="')[1].split('"')[0], int(line.split()[-1])) for line in lines if "_bucket" in line]
            half, most = (next(bound for bound, count in counts if count >= counts[-1][1] * share) for share in (0.5, 0.95))
            print(f"by the gateway's own clock, request to scale {phase}: half within {half} s, 19 of 20 within {most} s")


class Trouble(Cluster):
    """Pods whose status the test writes as a kubelet would."""

    def pod_of(self, name):
        return eventually(lambda: api.items(f"{api.PODS}?labelSelector=pilotlight.dev/function={name}"), "a pod")[0]["metadata"]["name"]

    def fails(self, name, state, last_state=None):
        """What a request gets that waits for a pod in this state, and what the Function's status says."""
        self.make(name)
        answers = []
        asker = threading.Thread(target=lambda: answers.append(self.ask(name)))
        asker.start()
        pod = self.pod_of(name)
        status = {"name": "function", "image": "example/echo", "imageID": "", "ready": False, "started": False, "restartCount": 3,
                  "state": {"waiting": state}, "lastState": {"terminated": last_state} if last_state else {}}
        api.merge(f"{api.PODS}/{pod}/status", {"status": {"phase": "Pending", "containerStatuses": [status]}})
        asker.join()
        eventually(lambda: state["reason"] in json.dumps(api.get(f"{api.FUNCTIONS}/{name}")["status"]["conditions"]), "a condition")
        conditions = {each["type"]: each for each in api.get(f"{api.FUNCTIONS}/{name}")["status"]["conditions"]}
        self.assertEqual(conditions["Progressing"]["reason"], state["reason"])
        return answers[0][0], json.loads(answers[0][1]), conditions["Progressing"]["message"]

    def test_a_bad_image_is_told_to_who_waits(self):
        status, body, told = self.fails("bad-image", {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "none:1"'})
        self.assertEqual((status, body["reason"]), (502, "ImagePullBackOff"))
        for text in body["message"], told:
            self.assertIn('Back-off pulling image "none:1"', text)

    def test_a_crash_loop_is_told_with_exit_code_and_last_words(self):
        ended = {"exitCode": 3, "reason": "Error", "message": "ValueError: no database\n"}
        status, body, told = self.fails("crashing", {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting"}, ended)
        self.assertEqual((status, body["reason"]), (502, "CrashLoopBackOff"))
        for text in body["message"], told:
            self.assertIn("exit code 3: ValueError: no database", text)

    def test_a_handler_that_never_listens_is_told_when_the_time_is_up(self):
        self.make("silent", concurrency={"queue": {"wait": "3s"}})
        answers = []
        asker = threading.Thread(target=lambda: answers.append(self.ask("silent")))
        asker.start()
        pod = self.pod_of("silent")
        status = {"name": "function", "image": "example/echo", "imageID": "", "ready": False, "restartCount": 0,
                  "state": {"running": {"startedAt": "2026-01-31T12:00:00Z"}}}
        api.merge(f"{api.PODS}/{pod}/status", {"status": {"phase": "Running", "containerStatuses": [status]}})
        asker.join()
        body = json.loads(answers[0][1])
        self.assertEqual((answers[0][0], body["reason"]), (504, "NotListening"))
        self.assertIn("does not listen", json.dumps(api.get(f"{api.FUNCTIONS}/silent")["status"]["conditions"]))


class Autoscaling(Cluster):
    def test_waiting_requests_raise_more_than_one_replica(self):
        self.make("burst", concurrency={"perReplica": 1, "target": 100})
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.ask("burst", "x"))) for _ in range(4)]
        for thread in threads:
            thread.start()
        eventually(lambda: api.replicas("burst-00001") == 4, "as many replicas as requests wait")
        kubelet = Kubelet()
        self.addCleanup(kubelet.stop)
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [(200, "x")] * 4)


class SeveralGateways(Cluster):
    def second(self, name):
        port = self.gateway.internal.rsplit(":", 1)[1]
        gateway = Gateway(name, "127.0.0.2", port)
        eventually(lambda: self.operator.metric('pilotlight_operator_gateways{state="heard"}') == 2, "both are heard")
        return gateway

    def test_one_that_vanished_holds_no_update_up(self):
        other = self.second("gw-1")
        self.make("held")
        eventually(lambda: api.acknowledged("held") == {"gw-0", "gw-1"}, "both acknowledge")
        kubelet = Kubelet()
        self.addCleanup(kubelet.stop)
        self.assertEqual(self.ask("held", "x", other), (200, "x"))
        other.send(signal.SIGSTOP)
        apply(function("held", env=[{"name": "A", "value": "2"}]))
        eventually(lambda: api.get(f"{api.FUNCTIONS}/held")["status"]["versions"]["stable"] == 2, "version 2 serves")
        eventually(lambda: api.acknowledged("held") == {"gw-0"}, "gw-0 has the new route")
        self.assertEqual(api.replicas("held-00001"), 1, "the stopped gateway may still send there")
        other.end(signal.SIGKILL)
        eventually(lambda: api.entries("held") == {"gw-0"}, "the entry of gw-1 is gone")
        eventually(lambda: api.replicas("held-00001") == 0, "version 1 is scaled down")

    def test_a_cold_start_is_shared_by_all_of_them(self):
        port = self.gateway.internal.rsplit(":", 1)[1]
        others = [Gateway("gw-3", "127.0.0.3", port), Gateway("gw-4", "127.0.0.4", port)]
        for gateway in others:
            self.addCleanup(gateway.end)
        eventually(lambda: self.operator.metric('pilotlight_operator_gateways{state="heard"}') == 3, "all are heard")
        gateways = [self.gateway, *others]
        self.make("shared-start")
        before = sum(gateway.metric("pilotlight_gateway_wake_patches_total") for gateway in gateways)
        answers = []
        threads = [threading.Thread(target=lambda gateway=gateway: answers.append(self.ask("shared-start", "x", gateway)))
                   for gateway in gateways]
        for thread in threads:
            thread.start()
        queued = 'pilotlight_gateway_queued{namespace="default",function="shared-start"}'
        eventually(lambda: all(gateway.metric(queued) == 1 for gateway in gateways), "each holds one")
        # No pod is ever ready, and the shim calls the first gateway alone: that is the only one whose address it has.
        kubelet = Kubelet(ready=False)
        self.addCleanup(kubelet.stop)
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [(200, "x")] * 3)
        self.assertEqual(len(kubelet.started), 1)
        raised = sum(gateway.metric("pilotlight_gateway_wake_patches_total") for gateway in gateways) - before
        self.assertLessEqual(raised, 1, "the others see that it is raised; the operator may have been first")
        self.assertEqual(api.replicas("shared-start-00001"), 1)
        told = self.gateway.metric('pilotlight_gateway_registrations_passed_on_total{outcome="taken"}')
        self.assertGreaterEqual(told, 2)
        for gateway in others:
            self.assertEqual(gateway.metric('pilotlight_gateway_registrations_total{from="shim",outcome="taken"}'), 0)
            line = next(line for line in gateway.lines if line.get("function") == "shared-start")
            print(f"{gateway.pod}: {line['cold_start_ms']}")
            self.assertIn("container", line["cold_start_ms"], "the shim's own times are passed on")

    def test_while_one_is_not_heard_nothing_is_scaled_down(self):
        other = self.second("gw-2")
        self.make("static", scale={"initial": 0, "toZeroAfter": "1s"})
        kubelet = Kubelet()
        self.addCleanup(kubelet.stop)
        other.send(signal.SIGSTOP)
        eventually(lambda: self.operator.metric('pilotlight_operator_gateways{state="missed"}') == 1, "a gateway is missed")
        self.assertIn("gateway is not heard: while it is ready nothing is scaled down", [line["msg"] for line in self.operator.lines])
        self.assertEqual(self.ask("static", "x"), (200, "x"))
        time.sleep(4)  # four times what it takes to go to zero: nothing tells that nothing will happen
        self.assertEqual(api.replicas("static-00001"), 1)
        other.send(signal.SIGCONT)
        eventually(lambda: api.replicas("static-00001") == 0, "heard again: to zero")
        self.assertEqual(other.end(), 0)


class Crashes(Cluster):
    def test_a_crashed_gateway_is_replaced_and_nobody_waits_for_more_than_that(self):
        self.make("kept")
        kubelet = Kubelet()
        self.addCleanup(kubelet.stop)
        self.assertEqual(self.ask("kept", "x"), (200, "x"))
        began = time.monotonic()
        os.kill(self.gateway.proper(), signal.SIGKILL)
        self.assertEqual(self.ask("kept", "y"), (200, "y"))
        print(f"gateway killed, the next request is answered: {(time.monotonic() - began) * 1000:.0f} ms")
        self.gateway.said("gateway crashed; another one takes its place")
        self.assertEqual(self.gateway.metric("pilotlight_gateway_crashes_total"), 1)
        eventually(lambda: self.operator.metric('pilotlight_operator_gateways{state="heard"}') == 1, "the operator hears it again")


class Ends(unittest.TestCase):
    """Programs of its own."""

    def test_a_gateway_that_is_told_to_end_answers_what_it_has(self):
        gateway = Gateway("gw-ends")
        operator = Operator(gateway.internal)
        self.addCleanup(operator.end)
        operator.said("gateway is heard")
        apply(function("last"))
        self.addCleanup(remove, "last")
        eventually(lambda: api.is_ready("last"))
        answer = []
        asker = threading.Thread(target=lambda: answer.append(ask(gateway.address, "/", "last.default.localhost", "POST", "x")))
        asker.start()
        eventually(lambda: api.replicas("last-00001") == 1, "the request waits")
        gateway.send(signal.SIGTERM)
        gateway.said("gateway ends")
        kubelet = Kubelet()
        self.addCleanup(kubelet.stop)
        asker.join()
        self.assertEqual(answer, [(200, "x")])
        self.assertEqual(gateway.end(), 0)

    def test_of_two_operators_one_works_and_the_other_takes_over(self):
        gateway = Gateway("gw-two")
        self.addCleanup(gateway.end)
        first = Operator(gateway.internal, "--identity", "first", lease=LEASE)
        self.addCleanup(first.end)
        first.said("operator started")
        second = Operator(gateway.internal, "--identity", "second", lease=LEASE)
        self.addCleanup(second.end)
        self.assertEqual(ask(second.address, "/readyz")[0], 200, "who stands by is ready to take over")
        self.assertEqual(api.get(api.LEASE)["spec"]["holderIdentity"], "first")
        self.assertFalse(second.leads())
        began = time.monotonic()
        self.assertEqual(first.end(), 0)
        second.said("operator started")
        print(f"operator told to end, the other one has caught up: {time.monotonic() - began:.2f} s")
        third = Operator(gateway.internal, "--identity", "third", lease=LEASE)
        self.addCleanup(third.end)
        began = time.monotonic()
        second.end(signal.SIGKILL)
        third.said("operator started")
        print(f"operator killed, the other one has caught up: {time.monotonic() - began:.2f} s (lease of {LEASE} s)")
        apply(function("after"))
        self.addCleanup(remove, "after")
        eventually(lambda: api.is_ready("after"), "the new leader works")

    def test_a_stopped_leader_that_wakes_does_no_harm_and_ends(self):
        gateway = Gateway("gw-stop")
        self.addCleanup(gateway.end)
        first = Operator(gateway.internal, "--identity", "first", lease=LEASE)
        self.addCleanup(first.end)
        first.said("operator started")
        apply(function("shared"))
        self.addCleanup(remove, "shared")
        eventually(lambda: api.is_ready("shared"))
        second = Operator(gateway.internal, "--identity", "second", lease=LEASE)
        self.addCleanup(second.end)
        first.send(signal.SIGSTOP)
        second.said("operator started")
        apply(function("shared", env=[{"name": "A", "value": "2"}]))
        eventually(lambda: api.get(f"{api.FUNCTIONS}/shared")["status"]["versions"]["stable"] == 2)
        first.send(signal.SIGCONT)
        self.assertEqual(first.wait(), 1)
        self.assertEqual(api.get(api.LEASE)["spec"]["holderIdentity"], "second")
        self.assertEqual(api.get(f"{api.FUNCTIONS}/shared")["status"]["versions"]["stable"], 2)


class Size(Cluster):
    def test_both_programs_stay_small(self):
        count = 300
        print(f"idle, no function: gateway {self.gateway.memory()} kB, operator {self.operator.memory()} kB")
        began = time.monotonic()
        apply(*[function(f"many-{i}") for i in range(count)])
        applied = time.monotonic() - began
        eventually(lambda: all(api.is_ready(f"many-{i}") for i in (count - 1, 0)) and
                   sum("True" in json.dumps([c for c in item.get("status", {}).get("conditions", []) if c["type"] == "Ready"])
                       for item in api.items(api.FUNCTIONS)) >= count, "all are Ready", 300)
        print(f"{count} functions: applied in {applied:.1f} s, all Ready after {time.monotonic() - began:.1f} s")
        before = self.gateway.cpu(), self.operator.cpu()
        time.sleep(5)  # what idleness costs is only seen over time
        after = self.gateway.cpu(), self.operator.cpu()
        shares = [(b - a) / 5 * 100 for a, b in zip(before, after)]
        print(f"idle, {count} functions: gateway {self.gateway.memory()} kB, operator {self.operator.memory()} kB; "
              f"CPU {shares[0]:.1f} % and {shares[1]:.1f} % of a core")
        self.assertLess(self.gateway.memory(), 30 * 1024)


if __name__ == "__main__":
    make_keys("k" * 32)
    outcome = unittest.main(exit=False, verbosity=2).result
    bad = len(outcome.failures) + len(outcome.errors)
    print(f"{max(outcome.testsRun - bad, 0)} passed, {bad} failed")
    sys.exit(1 if bad else 0)
