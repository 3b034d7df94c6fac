"""docker-py and a container's life: made, started, changed, watched, ended, removed."""

import unittest

import docker
import docker.errors
import docker.types
import requests
from stage import IMAGE, PATIENCE, Case


class Containers(Case):
    def test_run_gives_what_was_printed_or_raises(self):
        run = self.client.containers.run
        self.assertEqual(run(IMAGE, "echo hello", remove=True), b"hello\n")
        self.assertEqual(run(IMAGE, ["sh", "-c", "echo out; echo err >&2"], stderr=True, stdout=False, remove=True), b"err\n")
        self.assertEqual(list(run(IMAGE, "sh -c 'echo a; echo b'", stream=True, remove=True)), [b"a\n", b"b\n"])
        with self.assertRaises(docker.errors.ContainerError) as caught:
            run(IMAGE, ["sh", "-c", "echo why >&2; exit 7"], remove=True)
        error = caught.exception
        self.assertEqual((error.exit_status, error.stderr, error.command), (7, b"why\n", ["sh", "-c", "echo why >&2; exit 7"]))
        self.refused(400, "executable file not found", run, IMAGE, "no-such-program", remove=True)
        self.refused(500, "registry 127.0.0.1:1 cannot be reached", run, "127.0.0.1:1/nobody:1", "true")

    def test_what_was_asked_for_is_what_there_is(self):
        box = self.box(
            "sleep 1000", name="asked", hostname="inner", user="1000:1000", working_dir="/tmp",
            environment={"COLOUR": "blue"}, labels={"kind": "asked"}, mem_limit="64m", nano_cpus=500_000_000,
            pids_limit=50, cap_drop=["ALL"], cap_add=["CHOWN"], read_only=True, tmpfs={"/scratch": "size=1m"}, shm_size="2m",
            ulimits=[docker.types.Ulimit(name="nofile", soft=100, hard=200)], sysctls={"net.ipv4.ip_unprivileged_port_start": "80"},
            dns=["192.0.2.1"], extra_hosts={"far": "192.0.2.7"}, stop_signal="SIGKILL", init=True, network="bridge",
            log_config=docker.types.LogConfig(type="json-file", config={"max-size": "1m"}),
            restart_policy={"Name": "on-failure", "MaximumRetryCount": 2},
            healthcheck={"test": ["CMD", "true"], "interval": 1_000_000_000},
        )
        inside = lambda command: box.exec_run(["sh", "-c", command]).output.decode().strip()
        self.assertEqual(inside("hostname; id -u; pwd; echo $COLOUR; ulimit -n"), "inner\n1000\n/tmp\nblue\n100")
        self.assertIn("Read-only", inside("touch /x 2>&1"))
        self.assertIn("192.0.2.7\tfar", inside("cat /etc/hosts"))
        self.assertIn("nameserver 192.0.2.1", inside("cat /etc/resolv.conf"))
        self.assertEqual(inside("cat /proc/sys/net/ipv4/ip_unprivileged_port_start"), "80")
        self.assertEqual(inside("df -k /scratch /dev/shm | awk 'NR > 1 { print $2 }'"), "1024\n2048")
        self.assertNotEqual(inside("cat /proc/1/comm"), "sleep")
        host = box.attrs["HostConfig"]
        self.assertEqual((host["Memory"], host["NanoCpus"], host["PidsLimit"]), (64 << 20, 500_000_000, 50))
        self.assertEqual(host["RestartPolicy"], {"Name": "on-failure", "MaximumRetryCount": 2})
        self.assertEqual((box.name, box.labels["kind"], box.image.tags), ("asked", "asked", [IMAGE + ":latest"]))
        self.until("health", lambda: box.reload() or box.health == "healthy")

    def test_a_life_is_told_by_its_states(self):
        box = self.made("sh -c 'trap \"exit 5\" TERM; while :; do sleep 0.05; done'", name="alive")
        self.assertEqual(box.status, "created")
        # The first process has no signal that it does not wait for: before the trap is set, TERM is nothing to it.
        trapped = lambda: any("sleep 0.05" in row[-1] for row in box.top()["Processes"])
        for step, status in [
            (box.start, "running"), (box.pause, "paused"), (box.unpause, "running"), (box.stop, "exited"),
            (box.start, "running"), (lambda: box.restart(timeout=0), "running"),
        ]:
            step()
            box.reload()
            self.assertEqual(box.status, status)
            if status == "running":
                self.until("the trap", trapped)
        box.kill("TERM")
        self.assertEqual(box.wait()["StatusCode"], 5)
        box.reload()
        self.assertEqual((box.status, box.attrs["State"]["ExitCode"], box.attrs["State"]["OOMKilled"]), ("exited", 5, False))
        self.refused(409, "is not running", box.kill)
        self.refused(409, "is not running", box.pause)
        box.start()
        self.refused(409, "cannot remove container", box.remove)
        box.remove(force=True)
        self.assertRaises(docker.errors.NotFound, self.client.containers.get, "alive")
        self.assertRaises(docker.errors.NotFound, box.start)

    def test_waiting_has_conditions(self):
        box = self.box("sh -c 'exit 3'", name="waited")
        self.assertEqual(box.wait(condition="not-running"), {"StatusCode": 3})
        box = self.box("sleep 1000", auto_remove=True, name="removed")
        # What wait() does, in two: the head of the answer says that it waits.
        api = self.client.api
        waiting = api._post(api._url("/containers/{0}/wait", box.id), params={"condition": "removed"}, stream=True, timeout=PATIENCE)
        box.kill()
        self.assertEqual(waiting.json(), {"StatusCode": 137})
        self.assertRaises(docker.errors.NotFound, self.client.containers.get, "removed")
        box = self.box("sleep 1000")
        self.assertRaises(requests.exceptions.ConnectionError, box.wait, timeout=0.3)

    def test_names_are_unique_and_can_be_changed(self):
        box = self.made(name="first")
        self.refused(409, "Conflict. The container name \"/first\" is already in use", self.client.containers.create, IMAGE, "true", name="first")
        box.rename("second")
        self.assertEqual(self.client.containers.get("second").id, box.id)
        self.assertEqual(self.client.containers.get(box.short_id).id, box.id)
        self.assertRaises(docker.errors.NotFound, self.client.containers.get, "first")
        self.refused(400, "Invalid container name", self.client.containers.create, IMAGE, "true", name="a b")

    def test_lists_are_chosen_by_filters(self):
        one = self.box(name="listed-one", labels={"list": "a"})
        two = self.made(name="listed-two", labels={"list": "b"})
        three = self.box("sh -c 'exit 4'", name="listed-three", labels={"list": "b"})
        three.wait()
        chosen = lambda all=True, **filters: sorted(c.name for c in self.client.containers.list(all=all, filters={"label": "list", **filters}))
        self.assertEqual(chosen(), ["listed-one", "listed-three", "listed-two"])
        self.assertEqual(chosen(all=False), ["listed-one"])
        self.assertEqual(chosen(label="list=b"), ["listed-three", "listed-two"])
        self.assertEqual(chosen(label=["list", "list=a"]), ["listed-one"])
        self.assertEqual(chosen(status="exited"), ["listed-three"])
        self.assertEqual(chosen(status=["created", "running"]), ["listed-one", "listed-two"])
        self.assertEqual(chosen(exited=4), ["listed-three"])
        self.assertEqual(chosen(name="two"), ["listed-two"])
        self.assertEqual(chosen(id=one.id), ["listed-one"])
        self.assertEqual(chosen(ancestor=IMAGE, before="listed-two"), ["listed-one"])
        self.assertEqual(chosen(since="listed-two"), ["listed-three"])
        self.assertEqual(chosen(network="bridge", status="running"), ["listed-one"])
        newest = self.client.containers.list(all=True, limit=1)
        self.assertEqual([c.name for c in newest], ["listed-three"])
        sparse = self.client.containers.list(sparse=True, filters={"label": "list=a"})
        self.assertEqual((sparse[0].id, sparse[0].status), (one.id, "running"))
        self.refused(400, "invalid filter 'colour'", self.client.containers.list, filters={"colour": "red"})
        two.remove()

    def test_limits_change_while_it_runs(self):
        box = self.box(mem_limit="64m")
        self.assertIsNone(box.update(mem_limit="128m", memswap_limit="128m", cpu_shares=512, restart_policy={"Name": "always"})["Warnings"])
        box.reload()
        host = box.attrs["HostConfig"]
        self.assertEqual((host["Memory"], host["CpuShares"], host["RestartPolicy"]["Name"]), (128 << 20, 512, "always"))
        self.assertEqual(box.stats(stream=False)["memory_stats"]["limit"], 128 << 20)
        self.refused(400, "", box.update, mem_limit=1)

    def test_stats_and_top_show_what_runs(self):
        box = self.box("sh -c 'while :; do :; done'", cpu_quota=20_000, cpu_period=100_000)
        stats = box.stats(stream=False)
        self.assertEqual(stats["id"], box.id)
        self.assertGreater(stats["cpu_stats"]["cpu_usage"]["total_usage"], stats["precpu_stats"]["cpu_usage"]["total_usage"])
        self.assertGreater(stats["memory_stats"]["usage"], 0)
        self.assertEqual(stats["pids_stats"]["current"], 1)
        self.assertIn("rx_bytes", stats["networks"]["eth0"])
        streamed = box.stats(stream=True, decode=True)
        first, second = next(streamed), next(streamed)
        streamed.close()
        self.assertLess(first["read"], second["read"])
        self.assertEqual(second["precpu_stats"]["cpu_usage"]["total_usage"], first["cpu_stats"]["cpu_usage"]["total_usage"])
        top = box.top()
        self.assertEqual((top["Titles"][0], top["Titles"][-1]), ("UID", "CMD"))
        self.assertEqual([row[-1] for row in top["Processes"]], ["sh -c while :; do :; done"])
        self.refused(409, "is not running", self.made().top)

    def test_published_ports_are_where_they_are_said_to_be(self):
        box = self.box("httpd -f -p 80", ports={"80/tcp": ("127.0.0.1", None), "53/udp": 5353, "90/tcp": [9090, 9091]})
        box.reload()
        self.assertEqual(box.ports["53/udp"], [{"HostIp": "0.0.0.0", "HostPort": "5353"}])
        self.assertEqual([place["HostPort"] for place in box.ports["90/tcp"]], ["9090", "9091"])
        drawn = self.client.api.port(box.id, 80)
        self.assertEqual(drawn[0]["HostIp"], "127.0.0.1")
        self.assertGreater(int(drawn[0]["HostPort"]), 0)
        self.assertIsNone(self.client.api.port(box.id, 81))
        taken = self.made(ports={"80/tcp": 9090})
        self.refused(500, "port is already allocated", taken.start)

    def test_what_is_refused_is_refused_with_a_reason(self):
        create = self.client.containers.create
        for words, options in [
            ("privileged", {"privileged": True}),
            ("pid", {"pid_mode": "host"}),
            ("network host", {"network_mode": "host"}),
            ("ipc", {"ipc_mode": "host"}),
            ("uts", {"uts_mode": "host"}),
            ("userns", {"userns_mode": "host"}),
            ("device", {"devices": ["/dev/kvm:/dev/kvm"]}),
            ("bind", {"volumes": ["/etc:/host"]}),
        ]:
            with self.subTest(words):
                with self.assertRaises(docker.errors.APIError) as caught:
                    self.gone(create(IMAGE, "true", **options))
                self.assertTrue(caught.exception.is_client_error(), caught.exception)
                self.assertIn(words.lower(), caught.exception.explanation.lower())

    def test_pruning_takes_what_does_not_run(self):
        running = self.box(labels={"prune": "me"})
        ended = self.box("true", labels={"prune": "me"})
        other = self.box("true")
        ended.wait()
        other.wait()
        answer = self.client.containers.prune(filters={"label": "prune=me"})
        self.assertEqual(answer["ContainersDeleted"], [ended.id])
        self.assertEqual({c.id for c in self.client.containers.list(all=True)} & {running.id, other.id}, {running.id, other.id})


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
