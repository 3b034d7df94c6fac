"""docker-py and networks: made, joined, left; names and addresses in them."""

import unittest

import docker
import docker.errors
import docker.types
from stage import IMAGE, Case


class Networks(Case):
    def network(self, name, **options):
        network = self.client.networks.create(name, **options)
        self.addCleanup(self.undone, network)
        return network

    def undone(self, network):
        try:
            network.remove()
        except docker.errors.NotFound:
            pass

    def test_networks_are_made_listed_and_removed(self):
        pool = docker.types.IPAMPool(subnet="10.77.0.0/24", gateway="10.77.0.9", iprange="10.77.0.64/26")
        yard = self.network(
            "yard", driver="bridge", ipam=docker.types.IPAMConfig(pool_configs=[pool]), labels={"kind": "yard"},
            options={"com.docker.network.driver.mtu": "1400"}, internal=True, attachable=True,
        )
        yard.reload()
        self.assertEqual((yard.name, len(yard.id), yard.short_id), ("yard", 64, yard.id[:12]))
        self.assertEqual(yard.attrs["IPAM"]["Config"], [{"Subnet": "10.77.0.0/24", "Gateway": "10.77.0.9", "IPRange": "10.77.0.64/26"}])
        self.assertEqual((yard.attrs["Internal"], yard.attrs["Attachable"], yard.attrs["Labels"]), (True, True, {"kind": "yard"}))
        listed = lambda **how: [network.name for network in self.client.networks.list(**how)]
        self.assertEqual(listed(names=["yard"]), ["yard"])
        self.assertEqual(listed(ids=[yard.id]), ["yard"])
        self.assertEqual(listed(filters={"label": "kind=yard"}), ["yard"])
        self.assertEqual(sorted(listed(filters={"type": "builtin"})), ["bridge", "internet", "none"])
        self.assertEqual(self.client.networks.get("yard").id, yard.id)
        self.refused(409, "network with name yard already exists", self.client.networks.create, "yard")
        self.refused(403, "Pool overlaps", self.client.networks.create, "other", ipam=docker.types.IPAMConfig(pool_configs=[pool]))
        self.refused(400, "IPv6 is not routed", self.client.networks.create, "six", enable_ipv6=True)
        self.assertRaises(docker.errors.NotFound, self.client.networks.create, "x", driver="overlay")
        self.refused(403, "pre-defined network and cannot be removed", self.client.networks.get("bridge").remove)
        yard.remove()
        self.assertRaises(docker.errors.NotFound, self.client.networks.get, "yard")
        self.assertRaises(docker.errors.NotFound, yard.remove)

    def test_containers_join_and_leave(self):
        pool = docker.types.IPAMPool(subnet="10.78.0.0/24")
        yard = self.network("shop", ipam=docker.types.IPAMConfig(pool_configs=[pool]))
        web = self.box("httpd -f -p 80 -h /etc", name="web", network="shop")
        box = self.box(name="customer")
        self.assertNotEqual(box.exec_run("wget -q -O - http://web/hostname").exit_code, 0)
        yard.connect(box, aliases=["guest"], ipv4_address="10.78.0.77")
        box.reload()
        shown = box.attrs["NetworkSettings"]["Networks"]
        self.assertEqual(sorted(shown), ["bridge", "shop"])
        self.assertEqual((shown["shop"]["IPAddress"], shown["shop"]["Aliases"]), ("10.78.0.77", ["guest"]))
        self.assertEqual(shown["shop"]["NetworkID"], yard.id)
        fetched = "for n in $(seq 50); do wget -q -O - http://web/hostname && exit; sleep 0.1; done; exit 1"
        self.assertEqual(box.exec_run(["sh", "-c", fetched]).exit_code, 0)
        self.assertIn(b"10.78.0.77", web.exec_run("nslookup guest").output)
        yard.reload()
        self.assertEqual(sorted(container.name for container in yard.containers), ["customer", "web"])
        self.refused(403, "has active endpoints", yard.remove)
        self.refused(403, "already exists in network", yard.connect, box)
        yard.disconnect(box)
        box.reload()
        self.assertEqual(list(box.attrs["NetworkSettings"]["Networks"]), ["bridge"])
        self.refused(403, "is not connected to", yard.disconnect, box)
        self.assertRaises(docker.errors.NotFound, yard.connect, "nobody")
        self.gone(web)

    def test_a_container_begins_in_the_network_that_it_asks_for(self):
        pool = docker.types.IPAMPool(subnet="10.79.0.0/24")
        self.network("first", ipam=docker.types.IPAMConfig(pool_configs=[pool]))
        endpoint = self.client.api.create_endpoint_config(aliases=["first-alias"], ipv4_address="10.79.0.5")
        box = self.box(name="placed", network="first", networking_config={"first": endpoint})
        box.reload()
        self.assertEqual(box.attrs["NetworkSettings"]["Networks"]["first"]["IPAddress"], "10.79.0.5")
        self.assertIn("first-alias", box.attrs["NetworkSettings"]["Networks"]["first"]["Aliases"])
        alone = self.box(network_disabled=True)
        alone.reload()
        self.assertEqual(alone.exec_run("ls /sys/class/net").output.split(), [b"lo"])
        self.gone(box)

    def test_pruning_takes_what_nobody_is_in(self):
        used, unused = self.network("used"), self.network("unused")
        box = self.box(network="used")
        answer = self.client.networks.prune()
        self.assertEqual(answer["NetworksDeleted"], ["unused"])
        self.assertRaises(docker.errors.NotFound, unused.reload)
        used.reload()
        self.gone(box)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
