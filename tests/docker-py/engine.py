"""docker-py and the engine itself: what it is, what happens in it, what it holds."""

import os
import time
import unittest

import docker
import docker.errors
from stage import IMAGE, Case, Listener


class Engine(Case):
    def test_it_says_what_it_is(self):
        self.assertTrue(self.client.ping())
        version = self.client.version()
        self.assertEqual(version["ApiVersion"], "1.47")
        self.assertEqual(version["MinAPIVersion"], "1.24")
        self.assertEqual((version["Os"], version["Components"][0]["Name"]), ("linux", "Engine"))
        # docker-py speaks 1.44 at most unless it is told "auto".
        self.assertEqual(docker.APIClient(base_url=os.environ["DOCKER_HOST"], version="auto").api_version, "1.47")
        info = self.client.info()
        self.assertEqual((info["OSType"], info["Driver"], info["LoggingDriver"]), ("linux", "overlay2", "json-file"))
        self.assertEqual(info["Swarm"]["LocalNodeState"], "inactive")
        self.assertGreater(info["MemTotal"], 0)
        self.assertIn("name=userns", info["SecurityOptions"])

    def test_old_and_new_versions_are_negotiated(self):
        for spoken in ["1.24", "1.35", "1.41", "1.47"]:
            client = docker.DockerClient(base_url=os.environ["DOCKER_HOST"], version=spoken)
            self.assertEqual(client.containers.run(IMAGE, "echo hello", remove=True), b"hello\n", spoken)
            client.close()
        client = docker.APIClient(base_url=os.environ["DOCKER_HOST"], version="1.99")
        self.refused(400, "client version 1.99 is too new. Maximum supported API version is 1.47", client.info)

    def test_events_tell_a_containers_life(self):
        stream = self.client.events(decode=True, filters={"type": "container", "label": "kind=told"})
        listener = Listener(stream)
        before = time.time()
        self.client.containers.run(IMAGE, "false", labels={"kind": "told"}, name="told", detach=True).wait()
        self.client.containers.get("told").remove()
        seen = listener.until(lambda seen: any(event["Action"] == "destroy" for event in seen))
        stream.close()
        actions = [event["Action"] for event in seen]
        self.assertEqual(actions, ["create", "start", "die", "destroy"])
        died = seen[2]["Actor"]["Attributes"]
        self.assertEqual((died["exitCode"], died["name"], died["image"]), ("1", "told", IMAGE))
        past = list(self.client.events(decode=True, since=int(before) - 1, until=time.time(), filters={"container": "told"}))
        self.assertEqual([event["Action"] for event in past if event["Type"] == "container"], actions)

    def test_disk_usage_counts_what_there_is(self):
        self.client.volumes.create("counted")
        box = self.box("sh -c 'dd if=/dev/zero of=/written bs=1024 count=64; exec sleep 1000'", name="counted")
        self.until("the file", lambda: box.exec_run("sh -c 'test $(stat -c %s /written) = 65536'").exit_code == 0)
        df = self.client.df()
        self.assertEqual([c["Names"] for c in df["Containers"] if c["Id"] == box.id], [["/counted"]])
        self.assertGreaterEqual([c["SizeRw"] for c in df["Containers"] if c["Id"] == box.id][0], 65536)
        self.assertEqual([v["UsageData"]["RefCount"] for v in df["Volumes"] if v["Name"] == "counted"], [0])
        self.assertIn(IMAGE + ":latest", [tag for image in df["Images"] for tag in image["RepoTags"]])
        self.client.volumes.get("counted").remove()

    def test_a_login_asks_the_registry(self):
        registry = os.environ["REGISTRY"]
        answer = self.client.login("ann", password="a word", registry=registry)
        self.assertEqual(answer["Status"], "Login Succeeded")
        with self.assertRaises(docker.errors.APIError):
            self.client.login("ann", password="a word", registry="127.0.0.1:1", reauth=True)

    def test_there_is_no_swarm_and_there_are_no_plugins(self):
        self.refused(501, "never done by Sandlot", self.client.swarm.init)
        self.refused(503, "This node is not a swarm manager", self.client.services.list)
        self.refused(503, "This node is not a swarm manager", self.client.nodes.list)
        self.refused(503, "This node is not a swarm manager", self.client.secrets.list)
        self.refused(503, "This node is not a swarm manager", self.client.configs.list)
        self.refused(503, "is not part of a swarm", self.client.swarm.leave)
        self.assertEqual(self.client.plugins.list(), [])
        self.assertIsInstance(self.refused(404, "plugin \"nobody\" not found", self.client.plugins.get, "nobody"), docker.errors.NotFound)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
