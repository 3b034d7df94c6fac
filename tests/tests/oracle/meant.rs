//! The differences that are meant, and why. One that nothing shows any more fails the test, too.

use super::compare::Difference;
use std::collections::{BTreeMap, BTreeSet};

/// A difference that is meant. Each pattern has `*` for anything; several are parted by ` | `.
struct Meant {
    /// The calls.
    calls: &'static str,
    /// The places in the answer.
    places: &'static str,
    /// What is there: `OURS / DOCKER'S`.
    shows: &'static str,
    why: &'static str,
}

const fn meant(calls: &'static str, places: &'static str, why: &'static str) -> Meant {
    Meant { calls, places, shows: "*", why }
}

const fn shown(places: &'static str, shows: &'static str, why: &'static str) -> Meant {
    Meant { calls: "*", places, shows, why }
}

/// The table; the first that fits counts.
const MEANT: &[Meant] = &[
    // Versions, and what came with them.
    meant("*", "headers.api-version", "ours speaks 1.47, Debian's dockerd 20.10 speaks 1.41"),
    meant(
        "*/version",
        "*Version | body.Components[] | *Time | *Commit | body.Platform.Name | *Details.*",
        "two products",
    ),
    meant(
        "*",
        "headers.builder-version",
        "we say that we build by the classic builder; 20.10 said nothing before 1.38",
    ),
    shown(
        "body* | body.message*",
        "*client version * / *client version *",
        "other versions are spoken: 1.24 to 1.47",
    ),
    meant("*/v1.23/_ping | */v1.11/*", "*", "1.23 and older are not spoken; their errors were plain text"),
    meant("*/v1/*", "*", "1.23 and older are not spoken; their errors were plain text"),
    meant("*", "body*message* (case)", "since 23 Docker begins its errors with small letters"),
    shown("body.message", "*Content-Type header* / Content-Type specified*", "Docker's words since 23"),
    shown(
        "body.message",
        "cannot remove container * / You cannot remove a running container*",
        "Docker's words since 23",
    ),
    shown("body.message", "invalid restart policy: * / *", "Docker's words since 25"),
    shown("body.message", "invalid JSON: * / *", "Docker's prefix since 23; the rest is our parser's"),
    shown(
        "body.message",
        "config cannot be empty* / EOF",
        "an empty body is an empty configuration, as in Docker since 23",
    ),
    shown("body.message", "No exec command specified / got EOF*", "the same"),
    shown("body.message", "bad parameter: path * / bad parameter: path*", "Docker 20.10 left out a space"),
    shown("body.message", "invalid filter* / *", "one text for all bad filters, as Docker has since 23"),
    shown("body.message", "No such image: * / no such image: *", "Docker 20.10 said it twice"),
    shown("body.message", "No such image: *:latest / No such image: *", "the tag is named here, too"),
    shown(
        "body.message",
        "No such container: * / no such container *",
        "a container that is not there is 404 here, too",
    ),
    shown("body.message", "invalid *: * is no number / strconv*", "Go's parser is not ours"),
    shown("body.message", "invalid value for * / strconv*", "Go's parser is not ours"),
    shown("status", "400 / 500", "what a client got wrong is a 400; Docker 20.10 said 500 for some of it"),
    shown("status", "404 / 500", "the same of what is not there"),
    shown("status", "409 / 500", "the same of what a container's state forbids"),
    meant("*GET /events?*wat*", "*", "an unknown kind of filter is an error, not silence"),
    meant("*/wait*", "body.Error", "left out when empty since 24"),
    meant("*condition=wat", "*", "an unknown condition is an error since 23"),
    meant(
        "*",
        "*RepoDigests | *BuildCache | *BuilderSize",
        "an empty list since 24; the builder's size went with 1.42",
    ),
    meant(
        "*images.txt* | *files.txt* | *engine.txt* | *builds.txt* | *registries.txt*",
        "*ParentId | body.Parent | *DockerVersion | *LastTagTime | body.Container*",
        "what an image was made from and when is not kept, as with Docker's newer store",
    ),
    meant(
        "*GET /images/oracle/files:* | *GET /images/oracle/$name:*",
        "body.Config.Hostname | body.Config.Image",
        "an image has no host name",
    ),
    meant("*", "body*KernelMemory*", "went with 1.42"),
    meant("*", "*Attributes.execDuration", "came with 25"),
    meant("*events.txt*", "body[].Action | body[].status", "no space after an execution's command"),
    // What is another engine's.
    meant(
        "*",
        "*GraphDriver.Data.*",
        "layers are mounted detached: there is no merged directory on the host",
    ),
    meant(
        "*",
        "*HostnamePath | *HostsPath | *ResolvConfPath | *LogPath",
        "these files lie in the container's own tmpfs, the log below the state",
    ),
    meant("*", "*Mountpoint | *Mounts[].Source | body.DockerRootDir", "other places"),
    meant("*", "*CgroupnsMode", "a control group namespace always"),
    meant(
        "*",
        "*HostConfig.MaskedPaths[] | *HostConfig.ReadonlyPaths[]",
        "the user namespace guards /proc; a mask would forbid a nested mount of it",
    ),
    meant(
        "*",
        "*HostConfig.Runtime | body.DefaultRuntime | body.Runtimes*",
        "the only runtime is the engine itself",
    ),
    meant("*/info", "body.*", "another product, another host's services"),
    meant("*life.txt*", "*State.Error", "no runc and no shim that could be named"),
    shown("body.message", "exec: * / *exec: *", "no runc and no shim that could be named"),
    meant("*execs.txt*", "body.ExitCode", "127 is the code of a command that is not there"),
    meant("*GET /exec/*", "body.Pid", "a process that has ended has no number"),
    meant("*", "body*stats*", "what the control groups of both versions have in common"),
    meant("*archive?path=*etc*", "body[]", "the files that the engine makes are mounted, not written"),
    meant("*path=/etc/.", "headers.x-docker*", "`/etc/.` is called etc"),
    meant("*HEAD /containers/*", "headers.content-type | body", "a HEAD has the head of its GET"),
    meant("*/logs?*", "headers.content-type", "named since 23"),
    meant(
        "*attach?stream=1&stdout=1",
        "*",
        "refused before the connection is taken over, as in Docker since 23",
    ),
    meant(
        "*",
        "headers.docker-experimental",
        "`true`, for `docker checkpoint` asks for it; on every answer, also where Docker forgets it",
    ),
    meant("*", "headers.ostype", "on every answer, also where Docker forgets it"),
    meant(
        "*",
        "*Volumes[].Labels | *Volumes[].Options | body.Labels | body.Options | *Warnings | *IPAM.Options",
        "an empty map or list where Docker has null",
    ),
    // Words that say more.
    shown(
        "body.message",
        "This node is not * / This node is not *",
        "there will never be a swarm here; the text says so",
    ),
    shown("body.message", "plugin * / plugin *", "there will never be plug-ins here; the text says so"),
    shown("body.message", "invalid reference format: * / invalid *", "which reference, and what is right"),
    shown(
        "body.message",
        "Conflict. The container name * / Error when allocating new name: *",
        "the same text as at a creation",
    ),
    shown(
        "body.message",
        "Invalid container name * / Error when allocating new name: *",
        "the same text as at a creation",
    ),
    shown("body.message", "Invalid signal: * / *", "the same text for names and numbers"),
    shown("body.message", "* is no directory / extraction point is not a directory", "which path"),
    shown("body.message", "the change * / run is not *", "which instructions can be changed"),
    shown("body.message", "Invalid value x for cpuset* / *", "what a list looks like"),
    shown("body.message", "SHM size * / SHM size *", "there is an upper bound"),
    shown(
        "body.message",
        "failed to read entire block / Error processing tar file*",
        "no helper process that could be named",
    ),
    shown(
        "body.message",
        "container ID is not running / Container ID is not running: *",
        "when it ended stands in its state",
    ),
    shown("body.message", "*mount* / *", "every mount is checked, its field named"),
    shown(
        "body.message",
        "fromImage or fromSrc is needed / *",
        "Docker tries to fetch an address that is not there",
    ),
    meant(
        "*/containers/$name-volumes/json",
        "*HostConfig.Mounts[].*",
        "written out also where nothing was said",
    ),
    meant("*DELETE /containers/json", "body.message", "there is no such call"),
    meant("*", "*SharedSize", "layers that one image alone has are not shared"),
    // Networks.
    meant("*", "*NetworkSettings.Networks.none.NetworkID", "`none` has no id but its name"),
    meant("*", "*NetworkSettings.Networks.none.EndpointID", "there is no endpoint in `none`"),
    meant("*", "*DNSNames | *GwPriority | *EnableIPv4", "came with 26, 27 and 28"),
    meant(
        "*",
        "body.NetworkSettings.SandboxID | body.NetworkSettings.SandboxKey",
        "network namespaces have no names on the host",
    ),
    meant(
        "*engine.txt*GET /networks",
        "body[].*",
        "there is no `host`, and `internet` is ours: the lists do not stand side by side; rows/networks.txt looks at each",
    ),
    meant(
        "*networks.txt*",
        "*Networks.networks-*.Aliases*",
        "the short id is a DNS name, and no alias, since 25; lists tell aliases, too",
    ),
    meant(
        "*networks.txt*",
        "*Networks.*.NetworkID",
        "the network of a container that does not run is known already",
    ),
    shown(
        "*HostConfig.NetworkMode",
        "bridge / default",
        "the default network is called by its name since 26",
    ),
    shown("status", "403 / *", "what a network forbids is forbidden, as in Docker since 25"),
    shown("body.message", "invalid address * / Invalid address *", "the gateway's is none either"),
    shown("body.message", "invalid network name: * / invalid name: *", "what a name looks like"),
    shown("body.message", "invalid pool request: * / Pool overlaps *", "Docker's words since 27"),
    shown("body.message", "invalid subnet * / Invalid subnet *", "what a subnet looks like"),
    // Registries.
    meant("*registries.txt*create?fromImage*", "body*", "each layer is told of"),
    shown("*", "*digest: sha256:ID size: * / *digest: sha256:ID size: *", "made-up manifests are OCI's"),
    shown("body.Descriptor.mediaType", "*oci* / *docker*", "the same"),
    Meant {
        calls: "*registries.txt*",
        places: "*message | *error",
        shows: "registry * / *",
        why: "which registry, and what to do",
    },
    shown("body.message", "manifest for * / manifest unknown*", "which manifest"),
    shown("status", "401 / 500", "who is not let in is told so"),
    // Builds and checkpoints.
    meant("*/build?target=nothing*", "*", "what is wrong with a Dockerfile is told within the answer"),
    meant("*builds.txt*/history", "body[].Id", "what is between two steps is no image"),
    meant("*builds.txt*DELETE /images/*", "body[]", "the same"),
    shown("body[].CreatedBy", "*COPY file* / *COPY file:*", "what is copied has no name of its own"),
    shown("*said[]", "Failing:2: * / *", "where it failed"),
    shown("body.message", "the parameter buildargs: * / *", "Go's parser is not ours"),
    shown(
        "body.message",
        "the context is refused: * / unexpected EOF",
        "what of the request is meant; no helper that fails first",
    ),
    meant("*/build/cancel*", "status | body | headers.content-type", "204 for an answer that has no body"),
    meant("*checkpoints.txt*GET *", "body", "an empty list where Docker has null"),
    meant(
        "*checkpoints.txt*",
        "body.message",
        "what does not run is told in one text by all calls; a name has no slash",
    ),
    shown("body.message", "invalid port specification* / *", "the whole specification is named"),
    // What is refused or done otherwise on purpose.
    meant(
        "*load?quiet=1 garbage*",
        "*",
        "an archive that is none is refused with a status, not within a 200",
    ),
    meant("*localhost:1*", "*", "the answer has begun when the registry turns out not to be there"),
    meant(
        "*refusals-weight* | *$name-weight*",
        "*",
        "a limit out of range is an error also where the kernel lacks it",
    ),
    meant(
        "*$name-limit*",
        "*",
        "a soft limit above the hard one is refused at the creation, not at the start",
    ),
    meant("*$name-opts*", "*", "a volume has a size of its own on any file system"),
    meant("*$name-host*", "*", "a host name that the kernel would take and nothing else is refused"),
];

/// What is wrong: differences that are not meant, and meant ones that there are not.
pub(super) fn judge(found: &[Difference]) -> Vec<String> {
    let (mut unmeant, mut used) = (BTreeMap::<_, Vec<&str>>::new(), BTreeSet::new());
    for difference in found {
        let shows = format!("{} / {}", plain(&difference.ours), plain(&difference.docker));
        let fits = |m: &Meant| {
            any(m.calls, &difference.call) && any(m.places, &difference.place) && any(m.shows, &shows)
        };
        match MEANT.iter().position(fits) {
            Some(n) => {
                used.insert(n);
            }
            None => unmeant.entry(difference.to_string()).or_default().push(&difference.call),
        }
    }
    let shown = |(what, calls): (String, Vec<&str>)| {
        format!("{what}\n    {} times, first: {}", calls.len(), calls[0])
    };
    let mut wrong: Vec<String> = unmeant.into_iter().map(shown).collect();
    let unused = MEANT.iter().enumerate().filter(|(n, _)| !used.contains(n));
    wrong
        .extend(unused.map(|(_, m)| {
            format!("no difference like {} at {}: {} ({})", m.calls, m.places, m.shows, m.why)
        }));
    wrong
}

/// Text without its quotes.
fn plain(shown: &str) -> String {
    serde_json::from_str(shown).unwrap_or_else(|_| shown.to_owned())
}

/// Whether a text is like one of the patterns.
fn any(patterns: &str, text: &str) -> bool {
    patterns.split(" | ").any(|pattern| like(pattern, text))
}

/// Whether a text is like a pattern in which `*` is anything.
fn like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter(|n| rest.is_char_boundary(*n)).any(|n| like(after, &rest[n..]))
        }),
    }
}

#[test]
fn patterns() {
    for (pattern, text, fits) in [
        ("a*c", "abc", true),
        ("a*c", "ab", false),
        ("*", "", true),
        ("*b*", "abc", true),
        ("a", "ab", false),
    ] {
        assert_eq!(like(pattern, text), fits, "{pattern} {text}");
    }
}
