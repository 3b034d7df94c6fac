"""docker-py and a container's files: in, out, what changed, all of it; volumes and binds."""

import os
import unittest

import docker
import docker.errors
import docker.types
from stage import IMAGE, Case, archive, unpacked


class Files(Case):
    def test_archives_go_in_and_come_out(self):
        for box in [self.box(), self.made()]:
            self.assertTrue(box.put_archive("/tmp", archive({"a": b"one\n", "sub/b": b"two\n"})))
            pieces, stat = box.get_archive("/tmp/sub")
            self.assertEqual(unpacked(pieces), {"sub/b": b"two\n"})
            self.assertEqual((stat["name"], stat["linkTarget"]), ("sub", ""))
            pieces, stat = box.get_archive("/tmp/a", encode_stream=True)
            self.assertEqual((unpacked(pieces), stat["size"]), ({"a": b"one\n"}, 4))
            self.assertRaises(docker.errors.NotFound, box.get_archive, "/nobody")
            self.assertRaises(docker.errors.NotFound, box.put_archive, "/nobody", archive({}))
            self.refused(400, "", box.put_archive, "/etc/passwd", archive({"a": b""}))

    def test_changes_are_told(self):
        box = self.box(["sh", "-c", "echo new >/new; rm /etc/motd; echo more >>/etc/passwd"])
        box.wait()
        kinds = {change["Path"]: change["Kind"] for change in box.diff()}
        self.assertEqual(kinds, {"/new": 1, "/etc": 0, "/etc/motd": 2, "/etc/passwd": 0})

    def test_an_export_has_everything(self):
        box = self.box(["sh", "-c", "echo new >/new"])
        box.wait()
        files = unpacked(box.export())
        self.assertEqual(files["new"], b"new\n")
        self.assertIn("etc/passwd", files)

    def test_volumes_are_made_listed_and_removed(self):
        volumes = self.client.volumes
        shelf = volumes.create("shelf", labels={"kind": "shelf"})
        self.assertEqual((shelf.name, shelf.attrs["Driver"], shelf.attrs["Scope"]), ("shelf", "local", "local"))
        self.assertEqual(volumes.get("shelf").attrs["Labels"], {"kind": "shelf"})
        self.assertEqual([v.name for v in volumes.list(filters={"label": "kind=shelf"})], ["shelf"])
        self.assertEqual([v.name for v in volumes.list(filters={"dangling": True, "name": "shelf"})], ["shelf"])
        box = self.box("sh -c 'echo kept >/data/file'", volumes={"shelf": {"bind": "/data", "mode": "rw"}})
        box.wait()
        self.refused(409, "volume is in use", shelf.remove)
        self.assertEqual(volumes.list(filters={"dangling": True, "name": "shelf"}), [])
        self.assertEqual(self.client.containers.run(IMAGE, "cat /d/file", volumes=["shelf:/d:ro"], remove=True), b"kept\n")
        with self.assertRaises(docker.errors.ContainerError):
            self.client.containers.run(IMAGE, "touch /d/x", volumes=["shelf:/d:ro"], remove=True)
        box.remove()
        shelf.remove()
        self.assertRaises(docker.errors.NotFound, volumes.get, "shelf")
        self.assertRaises(docker.errors.NotFound, shelf.remove)
        self.refused(400, "the volume option type is refused", volumes.create, "x", driver_opts={"type": "nfs"})
        self.refused(404, "plugin \"nobody\" not found", volumes.create, "x", driver="nobody")

    def test_volumes_begin_with_what_the_image_has(self):
        box = self.box("sh -c 'cat /etc/group; exec sleep 1000'", volumes=["filled:/etc"])
        self.addCleanup(lambda: self.client.volumes.get("filled").remove(force=True))
        self.addCleanup(self.gone, box)
        self.assertEqual(self.client.containers.run(IMAGE, "ls /v/passwd", volumes=["filled:/v"], remove=True), b"/v/passwd\n")
        [mount] = box.attrs["Mounts"]
        self.assertEqual((mount["Type"], mount["Name"], mount["Destination"], mount["RW"]), ("volume", "filled", "/etc", True))

    def test_unnamed_volumes_are_pruned(self):
        unnamed = self.client.volumes.create()
        named = self.client.volumes.create("named")
        answer = self.client.volumes.prune()
        self.assertIn(unnamed.name, answer["VolumesDeleted"])
        self.assertNotIn("named", answer["VolumesDeleted"])
        answer = self.client.volumes.prune(filters={"all": True})
        self.assertIn(named.name, answer["VolumesDeleted"])

    def test_mounts_are_of_all_kinds(self):
        allowed = os.environ["BINDS"]
        os.makedirs(os.path.join(allowed, "shared"), exist_ok=True)
        with open(os.path.join(allowed, "shared", "file"), "w") as file:
            file.write("from the host\n")
        mounts = [
            docker.types.Mount("/bound", os.path.join(allowed, "shared"), type="bind", read_only=True),
            docker.types.Mount("/quick", None, type="tmpfs", tmpfs_size="1m"),
            docker.types.Mount("/kept", "kept", type="volume", labels={"a": "b"}),
        ]
        box = self.box("sh -c 'cat /bound/file; df -k /quick | awk \"NR == 2 { print \\$2 }\"; touch /kept/x; exec sleep 1000'", mounts=mounts)
        self.addCleanup(lambda: self.client.volumes.get("kept").remove(force=True))
        self.addCleanup(self.gone, box)
        self.until("two lines", lambda: box.logs().count(b"\n") == 2)
        self.assertEqual(box.logs(), b"from the host\n1024\n")
        kinds = {mount["Destination"]: (mount["Type"], mount["RW"]) for mount in box.attrs["Mounts"]}
        self.assertEqual(kinds, {"/bound": ("bind", False), "/quick": ("tmpfs", True), "/kept": ("volume", True)})
        self.assertEqual(self.client.volumes.get("kept").attrs["Labels"], {"a": "b"})
        missing = [docker.types.Mount("/x", os.path.join(allowed, "nobody"), type="bind")]
        self.refused(400, "bind source path does not exist", self.client.containers.create, IMAGE, "true", mounts=missing)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
