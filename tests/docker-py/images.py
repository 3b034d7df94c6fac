"""docker-py and images: registries, archives, builds, names and what they are made of."""

import io
import json
import os
import unittest

import docker
import docker.errors
from stage import IMAGE, Case, archive, unpacked

REGISTRY = os.environ["REGISTRY"]


class Images(Case):
    def image(self, name, content=b"hello\n"):
        """An image of one file on top of the starter."""
        files = {"Dockerfile": f"FROM {IMAGE}\nCOPY file /file\nLABEL kind={name}\n".encode(), "file": content}
        image, _ = self.client.images.build(fileobj=io.BytesIO(archive(files)), custom_context=True, tag=name)
        self.addCleanup(self.unmade, image.id)
        return image

    def unmade(self, name):
        try:
            self.client.images.remove(name, force=True)
        except docker.errors.ImageNotFound:
            pass

    def test_a_push_and_a_pull_bring_the_same_image(self):
        image = self.image("pushed")
        name = f"{REGISTRY}/shop/pushed"
        self.assertTrue(image.tag(name, tag="1"))
        lines = list(self.client.images.push(name, tag="1", stream=True, decode=True))
        self.assertTrue(any("digest: sha256:" in line.get("status", "") for line in lines), lines)
        self.assertFalse([line for line in lines if "error" in line], lines)
        data = self.client.images.get_registry_data(f"{name}:1")
        self.assertTrue(data.id.startswith("sha256:") and data.has_platform("linux/amd64" if os.uname().machine == "x86_64" else "linux/arm64"))
        self.client.images.remove(f"{name}:1")
        self.client.images.remove("pushed")
        self.assertRaises(docker.errors.ImageNotFound, self.client.images.get, f"{name}:1")
        pulled = self.client.images.pull(name, tag="1")
        self.assertEqual((pulled.id, pulled.tags), (image.id, [f"{name}:1"]))
        self.assertEqual(pulled.attrs["RepoDigests"], [f"{name}@{data.id}"])
        self.assertEqual(self.client.containers.run(pulled, "cat /file", remove=True), b"hello\n")
        image.tag(name, tag="2")
        self.client.images.push(name, tag="2")
        both = self.client.images.pull(name, all_tags=True)
        self.assertEqual(sorted(tag for image in both for tag in image.tags), [f"{name}:1", f"{name}:2"])

    def test_what_no_registry_has_is_not_found(self):
        missing = f"{REGISTRY}/shop/nobody"
        self.assertRaises(docker.errors.NotFound, self.client.images.pull, missing, tag="1")
        self.assertRaises(docker.errors.NotFound, self.client.images.get_registry_data, f"{missing}:1")
        last = self.client.images.push(missing, stream=True, decode=True)
        with self.assertRaises(docker.errors.APIError):
            for line in last:
                if "error" in line:
                    raise docker.errors.APIError(line["error"])
        self.refused(400, "searching is refused", self.client.images.search, "anything")

    def test_images_are_listed_and_chosen(self):
        image = self.image("listed")
        self.assertIn(image.id, [one.id for one in self.client.images.list()])
        self.assertEqual([one.id for one in self.client.images.list(name="listed")], [image.id])
        self.assertEqual([one.id for one in self.client.images.list(filters={"label": "kind=listed"})], [image.id])
        self.assertEqual(self.client.images.list(filters={"label": "kind=nobody"}), [])
        self.assertEqual(self.client.images.list(name="listed", filters={"dangling": True}), [])
        self.assertEqual(image.labels["kind"], "listed")
        self.assertEqual(image.short_id, image.id[:19])
        self.assertEqual(self.client.images.get(image.id[7:19]).id, image.id)
        self.assertEqual(image.attrs["Os"], "linux")
        self.assertGreater(image.attrs["Size"], 0)
        self.refused(400, "invalid filter 'colour'", self.client.images.list, filters={"colour": "red"})

    def test_history_tells_the_steps(self):
        history = self.image("told").history()
        self.assertEqual([step["Tags"] for step in history][0], ["told:latest"])
        self.assertIn("LABEL kind=told", history[0]["CreatedBy"])
        self.assertIn("COPY", history[1]["CreatedBy"])
        self.assertGreater(history[1]["Size"], 0)
        self.assertRaises(docker.errors.ImageNotFound, self.client.api.history, "nobody")

    def test_names_come_and_go(self):
        image = self.image("named")
        self.assertTrue(image.tag("other/name", tag="2"))
        image.reload()
        self.assertEqual(sorted(image.tags), ["named:latest", "other/name:2"])
        self.refused(409, "image is referenced in multiple repositories", self.client.images.remove, image.id)
        self.assertIsNone(self.client.images.remove("other/name:2"))
        image.reload()
        self.assertEqual(image.tags, ["named:latest"])
        self.made(image="named", name="user")
        self.refused(409, "conflict: unable to remove repository reference", self.client.images.remove, "named")
        self.refused(400, "invalid reference format", self.client.api.tag, "named", "some/CASE")
        self.assertRaises(docker.errors.ImageNotFound, self.client.images.get, "nobody")
        self.assertRaises(docker.errors.ImageNotFound, self.client.images.remove, "nobody")
        self.assertRaises(docker.errors.ImageNotFound, self.client.containers.create, "nobody", "true")

    def test_saved_images_are_loaded(self):
        image = self.image("saved")
        packed = b"".join(image.save(named=True))
        files = unpacked([packed])
        self.assertEqual(json.loads(files["manifest.json"])[0]["RepoTags"], ["saved:latest"])
        self.client.images.remove("saved")
        self.assertRaises(docker.errors.ImageNotFound, self.client.images.get, "saved")
        loaded = self.client.images.load(packed)
        self.assertEqual([(one.id, one.tags) for one in loaded], [(image.id, ["saved:latest"])])
        self.refused(400, "", self.client.images.load, b"this is no archive" * 100)

    def test_an_archive_becomes_an_image(self):
        box = self.made("true")
        pieces = list(box.export())
        self.client.api.import_image_from_data(b"".join(pieces), repository="imported", tag="1", changes=["CMD [\"/bin/echo\", \"it\", \"runs\"]"])
        self.addCleanup(self.unmade, "imported:1")
        self.assertEqual(self.client.containers.run("imported:1", remove=True), b"it runs\n")
        self.assertEqual(len(self.client.images.get("imported:1").attrs["RootFS"]["Layers"]), 1)
        self.refused(400, "refused", self.client.api.import_image_from_url, "http://example.com/a.tar", repository="x")

    def test_builds_print_and_fail_as_dockers_do(self):
        context = {"Dockerfile": f"FROM {IMAGE}\nARG COLOUR=red\nENV COLOUR=$COLOUR\nRUN echo it is $COLOUR\nCMD echo $COLOUR\n".encode()}
        build = lambda files, **options: self.client.images.build(fileobj=io.BytesIO(archive(files)), custom_context=True, rm=True, **options)
        image, log = build(context, tag="built:1", buildargs={"COLOUR": "blue"}, labels={"by": "test"})
        self.addCleanup(self.unmade, image.id)
        said = "".join(line.get("stream", "") for line in log)
        self.assertIn("Step 4/5 : RUN echo it is $COLOUR", said)
        self.assertIn("it is blue", said)
        self.assertIn("Successfully tagged built:1", said)
        self.assertEqual((image.labels["by"], image.tags), ("test", ["built:1"]))
        self.assertEqual(self.client.containers.run("built:1", remove=True), b"blue\n")
        with self.assertRaises(docker.errors.BuildError) as caught:
            build({"Dockerfile": f"FROM {IMAGE}\nRUN exit 7\n".encode()})
        self.assertIn("returned a non-zero code: 7", caught.exception.msg)
        with self.assertRaises(docker.errors.APIError) as caught:
            build({"Dockerfile": b"FORM nobody\n"})
        self.assertIn("unknown instruction: FORM", str(caught.exception))
        image, _ = build({"other": f"FROM {IMAGE} AS one\nRUN touch /one\nFROM {IMAGE} AS two\n".encode()}, dockerfile="other", target="one")
        self.addCleanup(self.unmade, image.id)
        self.client.containers.run(image.id, "ls /one", remove=True)
        self.assertIn("SpaceReclaimed", self.client.images.prune_builds())

    def test_a_container_becomes_an_image(self):
        box = self.box("sh -c 'echo written >/file; exec sleep 1000'")
        self.until("the file", lambda: box.exec_run("cat /file").output == b"written\n")
        image = box.commit("kept", tag="1", message="why", author="ann", changes=["ENV A=b", "CMD [\"cat\", \"/file\"]"])
        self.addCleanup(self.unmade, image.id)
        self.assertEqual((image.tags, image.attrs["Author"], image.attrs["Comment"]), (["kept:1"], "ann", "why"))
        self.assertIn("A=b", image.attrs["Config"]["Env"])
        self.assertEqual(self.client.containers.run("kept:1", remove=True), b"written\n")

    def test_pruning_takes_what_nobody_names(self):
        old = self.image("pruned", b"old\n")
        new = self.image("pruned", b"new\n")
        self.assertNotEqual(old.id, new.id)
        answer = self.client.images.prune(filters={"dangling": True})
        self.assertIn(old.id, [one.get("Deleted") for one in answer["ImagesDeleted"]])
        self.assertGreater(answer["SpaceReclaimed"], 0)
        self.assertEqual(self.client.images.get("pruned").id, new.id)
        self.assertRaises(docker.errors.ImageNotFound, self.client.images.get, old.id)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
