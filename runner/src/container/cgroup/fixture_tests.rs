//! Both versions and the mixed layout by trees of plain files, and the rules for limits. No root needed.

use super::*;
use std::fs;

const V1: [&str; 7] = ["cpu", "cpuacct", "cpuset", "memory", "blkio", "pids", "freezer"];

/// A tree of hierarchies, and the mountinfo that shows it.
struct Fixture {
    root: tempfile::TempDir,
    mountinfo: String,
}

impl Fixture {
    fn new(v1: &[&str], v2: Option<&str>) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut mountinfo = String::from("22 27 0:21 / /proc rw,relatime - proc proc rw\n");
        for options in v1 {
            let place = root.path().join(options);
            fs::create_dir(&place).unwrap();
            mountinfo += &format!("32 31 0:29 / {} rw - cgroup cgroup rw,{options}\n", place.display());
            if options.contains("cpuset") {
                fs::write(place.join("cpuset.cpus"), "0-1\n").unwrap();
                fs::write(place.join("cpuset.mems"), "0\n").unwrap();
            }
        }
        if let Some(controllers) = v2 {
            let place = root.path().join("unified");
            fs::create_dir(&place).unwrap();
            fs::write(place.join("cgroup.controllers"), controllers).unwrap();
            fs::write(place.join("cgroup.subtree_control"), "").unwrap();
            mountinfo += &format!("41 31 0:38 / {} rw shared:9 - cgroup2 none rw\n", place.display());
        }
        Self { root, mountinfo }
    }

    fn hierarchy(&self) -> Hierarchy {
        Hierarchy::detect_at(&self.mountinfo).unwrap()
    }

    fn group(&self, hierarchy: &Hierarchy, files: &[(&str, &str)]) -> Group {
        for root in [V1.as_slice(), &["cpu,cpuacct", "unified"]].concat() {
            if self.root.path().join(root).is_dir() {
                fs::create_dir_all(self.root.path().join(root).join("sandlot/one")).unwrap();
            }
        }
        for (file, text) in files {
            let (root, file) = file.split_once('/').unwrap();
            fs::write(self.root.path().join(root).join("sandlot/one").join(file), text).unwrap();
        }
        hierarchy.open("sandlot", "one").unwrap()
    }

    fn read(&self, root: &str, file: &str) -> String {
        fs::read_to_string(self.root.path().join(root).join("sandlot/one").join(file)).unwrap()
    }
}

fn machine() -> Machine {
    Machine { cpus: (0..4).collect(), nodes: [0].into() }
}

fn limits(wanted: Wanted) -> Limits {
    Limits::new(&wanted, &machine()).unwrap()
}

fn full() -> Limits {
    limits(Wanted {
        memory: 64 << 20,
        memory_swap: 96 << 20,
        memory_reservation: 32 << 20,
        nano_cpus: 1_500_000_000,
        cpu_shares: 1024,
        cpuset_cpus: "0-1,3".into(),
        pids: 100,
        blkio_weight: 500,
        ..Wanted::default()
    })
}

#[test]
fn the_layout_is_found() {
    assert_eq!(Fixture::new(&V1, None).hierarchy().layout(), Layout::V1);
    assert_eq!(Fixture::new(&[], Some("cpuset cpu io memory pids")).hierarchy().layout(), Layout::V2);
    let mixed = Fixture::new(&["cpu,cpuacct", "memory"], Some("hugetlb pids")).hierarchy();
    assert_eq!(mixed.layout(), Layout::Mixed);
    assert!(mixed.has(Controller::Pids) && mixed.has(Controller::Cpuacct) && !mixed.has(Controller::Io));
    assert!(matches!(Hierarchy::detect_at("22 27 0:21 / /proc rw - proc proc rw"), Err(Error::NotMounted)));
}

#[test]
fn a_mount_point_may_have_blanks() {
    let info = "1 2 0:1 / /a\\040b rw - cgroup cgroup rw,memory\n";
    assert_eq!(mounts::parse(info).v1[&Controller::Memory], Path::new("/a b"));
}

#[test]
fn version_1_files_get_the_limits() {
    let fixture = Fixture::new(&V1, None);
    let names = [
        "memory/memory.limit_in_bytes",
        "memory/memory.memsw.limit_in_bytes",
        "memory/memory.soft_limit_in_bytes",
        "cpu/cpu.cfs_period_us",
        "cpu/cpu.cfs_quota_us",
        "cpu/cpu.shares",
        "cpuset/cpuset.cpus",
        "pids/pids.max",
        "blkio/blkio.weight",
    ];
    let group = fixture.group(&fixture.hierarchy(), &names.map(|n| (n, "")));
    group.update(&full()).unwrap();
    let found = names.map(|name| {
        let (root, file) = name.split_once('/').unwrap();
        fixture.read(root, file)
    });
    assert_eq!(
        found,
        ["67108864", "100663296", "33554432", "100000", "150000", "1024", "0-1,3", "100", "500"]
    );
}

#[test]
fn version_2_files_get_the_limits_converted() {
    let fixture = Fixture::new(&[], Some("cpuset cpu io memory pids"));
    let files = [
        "memory.max",
        "memory.swap.max",
        "memory.low",
        "cpu.max",
        "cpu.weight",
        "cpuset.cpus",
        "pids.max",
        "io.weight",
    ];
    let names = files.map(|f| format!("unified/{f}"));
    let group = fixture.group(&fixture.hierarchy(), &names.each_ref().map(|n| (n.as_str(), "")));
    group.update(&full()).unwrap();
    let found = files.map(|file| fixture.read("unified", file));
    assert_eq!(found, ["67108864", "33554432", "33554432", "150000 100000", "39", "0-1,3", "100", "4950"]);
    group.update(&limits(Wanted { pids: -1, cpu_quota: -1, ..Wanted::default() })).unwrap();
    assert_eq!(fixture.read("unified", "pids.max"), "max");
    assert_eq!(fixture.read("unified", "cpu.max"), "max 100000");
    assert_eq!(fixture.read("unified", "memory.max"), "67108864", "what is not named stays");
}

#[test]
fn what_the_kernel_lacks_is_told_and_left_out() {
    let fixture = Fixture::new(&["memory", "blkio"], None);
    fs::write(fixture.root.path().join("memory/memory.limit_in_bytes"), "").unwrap();
    let hierarchy = fixture.hierarchy();
    let wanted = limits(Wanted { memory: 8 << 20, blkio_weight: 10, pids: 5, ..Wanted::default() });
    let warnings = hierarchy.warnings(&wanted).join("; ");
    for name in ["memory-swap", "pids-limit", "blkio-weight"] {
        assert!(warnings.contains(&format!("does not support {name}")), "{warnings}");
    }
    assert!(!warnings.contains("support memory:"), "{warnings}");
    fixture.group(&hierarchy, &[]).update(&wanted).unwrap();
}

#[test]
fn version_1_figures() {
    let fixture = Fixture::new(&V1, None);
    let group = fixture.group(
        &fixture.hierarchy(),
        &[
            ("cpuacct/cpuacct.usage", "900\n"),
            ("cpuacct/cpuacct.usage_user", "600\n"),
            ("cpuacct/cpuacct.usage_sys", "300\n"),
            ("cpuacct/cpuacct.usage_percpu", "400 500 \n"),
            ("cpu/cpu.stat", "nr_periods 7\nnr_throttled 2\nthrottled_time 55\n"),
            ("memory/memory.usage_in_bytes", "4096\n"),
            ("memory/memory.max_usage_in_bytes", "8192\n"),
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/memory.stat", "cache 1\ntotal_cache 2048\ntotal_inactive_file 1024\ntotal_swap 3\n"),
            ("memory/memory.failcnt", "4\n"),
            ("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
            ("pids/pids.current", "3\n"),
            ("pids/pids.max", "max\n"),
            (
                "blkio/blkio.throttle.io_service_bytes_recursive",
                "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\nTotal 30\n",
            ),
            ("blkio/blkio.throttle.io_serviced_recursive", "8:0 Read 1\n8:0 Write 2\n"),
        ],
    );
    let stats = group.stats().unwrap();
    assert_eq!((stats.cpu.total, stats.cpu.user, stats.cpu.system), (900, 600, 300));
    assert_eq!(
        (stats.cpu.per_cpu, stats.cpu.throttled_periods, stats.cpu.throttled),
        (vec![400, 500], 2, 55)
    );
    assert_eq!((stats.memory.usage, stats.memory.limit, stats.memory.cache), (4096, None, 2048));
    assert_eq!((stats.memory.oom_kills, stats.memory.failures), (2, 4));
    assert_eq!(stats.pids, Pids { current: 3, limit: None, refused: 0 });
    let block = Block { major: 8, minor: 0, read_bytes: 10, written_bytes: 20, reads: 1, writes: 2 };
    assert_eq!(stats.block, [block]);
}

#[test]
fn version_2_figures() {
    let fixture = Fixture::new(&[], Some("cpu io memory pids"));
    let group = fixture.group(
        &fixture.hierarchy(),
        &[
            (
                "unified/cpu.stat",
                "usage_usec 9\nuser_usec 6\nsystem_usec 3\nnr_periods 7\nnr_throttled 2\nthrottled_usec 5\n",
            ),
            ("unified/memory.current", "4096\n"),
            ("unified/memory.max", "6291456\n"),
            ("unified/memory.stat", "anon 1\nfile 2048\ninactive_file 1024\n"),
            ("unified/memory.events", "low 0\nhigh 0\nmax 4\noom 1\noom_kill 2\n"),
            ("unified/pids.current", "3\n"),
            ("unified/pids.max", "10\n"),
            ("unified/io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n"),
        ],
    );
    let stats = group.stats().unwrap();
    assert_eq!((stats.cpu.total, stats.cpu.throttled), (9000, 5000));
    assert_eq!(
        (stats.memory.usage, stats.memory.max_usage, stats.memory.limit),
        (4096, None, Some(6_291_456))
    );
    assert_eq!((stats.memory.oom_kills, stats.memory.failures), (2, 4));
    assert_eq!(stats.pids.limit, Some(10));
    assert_eq!(stats.block[0].written_bytes, 20);
}

#[test]
fn names_do_not_lead_elsewhere() {
    let hierarchy = Fixture::new(&V1, None).hierarchy();
    for (parent, id) in [
        ("..", "a"),
        ("a/../..", "b"),
        ("a", ".."),
        ("a", "b/c"),
        ("/a", "b"),
        ("", "b"),
        ("a", ""),
        ("a", "b\n"),
    ] {
        assert!(matches!(hierarchy.open(parent, id), Err(Error::Name(_))), "{parent} {id}");
    }
    assert!(matches!(hierarchy.open("sandlot", "none"), Err(Error::Missing(_))));
}

#[track_caller]
fn refused(wanted: Wanted, message: &str) {
    assert_eq!(Limits::new(&wanted, &machine()).unwrap_err().to_string(), message);
}

#[test]
fn limits_out_of_range_name_the_range() {
    let base = Wanted::default;
    refused(Wanted { memory: 1 << 20, ..base() }, "Minimum memory limit allowed is 6MB");
    refused(Wanted { memory: -1, ..base() }, "Minimum memory limit allowed is 6MB");
    refused(
        Wanted { memory: 8 << 20, memory_swap: 7 << 20, ..base() },
        "Minimum memoryswap limit should be larger than memory limit, see usage",
    );
    refused(
        Wanted { memory_swap: 7 << 20, ..base() },
        "You should always set the Memory limit when using Memoryswap limit, see usage",
    );
    refused(Wanted { memory_reservation: 5, ..base() }, "Minimum memory reservation allowed is 6MB");
    let cpus = "Range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available";
    refused(Wanted { nano_cpus: 4_000_000_001, ..base() }, cpus);
    refused(Wanted { nano_cpus: 1, ..base() }, cpus);
    refused(Wanted { nano_cpus: -5, ..base() }, cpus);
    refused(
        Wanted { nano_cpus: 1_000_000_000, cpu_quota: 5000, ..base() },
        "Conflicting options: Nano CPUs and CPU Quota cannot both be set",
    );
    refused(
        Wanted { cpu_period: 999, ..base() },
        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    );
    refused(Wanted { cpu_quota: 999, ..base() }, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
    refused(Wanted { cpu_shares: 1, ..base() }, "invalid CPU shares (1): the range is from 2 to 262144");
    refused(
        Wanted { cpuset_cpus: "0-4".into(), ..base() },
        "Requested CPUs are not available - requested 0-4, available: 0-3",
    );
    for bad in ["a", "1-", "3-1", "0,,1", "+1", "0-99999999"] {
        let message = format!("Invalid value {bad} for cpuset CPUs: it is a list like 0-2,4");
        refused(Wanted { cpuset_cpus: bad.into(), ..base() }, &message);
    }
    refused(Wanted { blkio_weight: 9, ..base() }, "range of blkio weight is from 10 to 1000");
    refused(
        Wanted { pids: -2, ..base() },
        "invalid pids limit (-2): it is a number of processes, or -1 for no limit",
    );
    let device = |path: &str, rate| vec![DeviceRate { path: path.into(), rate }];
    refused(
        Wanted { read_bps: device("/dev/null", 1), ..base() },
        "/dev/null is not a block device of this host",
    );
    refused(
        Wanted { write_iops: device("/dev/vda", 0), ..base() },
        "the rate of /dev/vda must be at least 1 a second",
    );
}
