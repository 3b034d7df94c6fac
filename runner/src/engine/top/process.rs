//! One process as `/proc` tells of it, cell by cell.

use jiff::{SignedDuration, Timestamp};

/// What stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is a column of ps(1), and `columns` has its name there")]
pub(super) enum Content {
    Pid,
    Parent,
    Group,
    Session,
    UserId,
    User,
    GroupId,
    GroupName,
    Name,
    Command,
    Stat,
    State,
    Threads,
    Nice,
    Priority,
    OldPriority,
    Terminal,
    Time,
    ShortTime,
    Elapsed,
    ElapsedSeconds,
    Start,
    StartSeconds,
    StartWhole,
    Cpu,
    CpuWhole,
    Memory,
    Resident,
    Virtual,
    Pages,
    Class,
    Processor,
    Flags,
    Unknown,
}

/// Clock ticks of a second (`USER_HZ`).
const TICKS: u64 = 100;
/// KiB of a page.
const PAGE: u64 = 4;

/// A process.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pid: i32,
    name: String,
    command: String,
    /// What stands behind the name in `/proc/PID/stat`, from the state (the third field) on.
    fields: Vec<String>,
    uid: u32,
    gid: u32,
    base: u32,
    since: Timestamp,
}

impl Process {
    /// Reads one whose container's ids begin at `base`; `None` if it has just ended.
    pub(super) fn read(pid: i32, base: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let (name, fields) = stat.split_once('(')?.1.rsplit_once(')')?;
        // The second number is the one that counts: the effective id.
        let id = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words = line.split(|b| *b == 0).filter(|w| !w.is_empty()).map(String::from_utf8_lossy);
        let words = words.collect::<Vec<_>>().join(" ");
        let since = std::fs::metadata(format!("/proc/{pid}")).ok()?.modified().ok()?;
        Some(Self {
            pid,
            command: if words.is_empty() { format!("[{name}]") } else { words },
            name: name.to_owned(),
            fields: fields.split_whitespace().map(ToOwned::to_owned).collect(),
            uid: id("Uid:")?,
            gid: id("Gid:")?,
            base,
            since: Timestamp::try_from(since).ok()?,
        })
    }

    /// What stands in a column.
    pub(super) fn cell(&self, content: Content) -> String {
        match content {
            Content::Pid => self.pid.to_string(),
            Content::Parent => self.field(4).to_owned(),
            Content::Group => self.field(5).to_owned(),
            Content::Session => self.field(6).to_owned(),
            Content::UserId => self.inside(self.uid).to_string(),
            Content::GroupId => self.inside(self.gid).to_string(),
            Content::User => named(self.inside(self.uid)),
            Content::GroupName => named(self.inside(self.gid)),
            Content::Name => self.name.clone(),
            Content::Command => self.command.clone(),
            Content::State => self.field(3).to_owned(),
            Content::Stat => self.stat(),
            Content::Threads => self.field(20).to_owned(),
            Content::Nice => self.field(19).to_owned(),
            Content::Priority => (39 - self.signed(18)).to_string(),
            Content::OldPriority => (60 + self.signed(18)).to_string(),
            Content::Terminal => terminal(self.number(7)),
            Content::Time => clock(self.used() / TICKS),
            Content::ShortTime => {
                let seconds = self.used() / TICKS;
                format!("{}:{:02}", seconds / 60, seconds % 60)
            }
            Content::Elapsed => elapsed(self.age()),
            Content::ElapsedSeconds => self.age().to_string(),
            Content::Start => {
                let day = self.age() < 24 * 3600;
                self.since.strftime(if day { "%H:%M" } else { "%b%d" }).to_string()
            }
            Content::StartSeconds => {
                let day = self.age() < 24 * 3600;
                self.since.strftime(if day { "%H:%M:%S" } else { "%b %d" }).to_string()
            }
            Content::StartWhole => self.since.strftime("%a %b %e %H:%M:%S %Y").to_string(),
            Content::Cpu => tenths(self.used() * 1000 / TICKS / self.age().max(1)),
            Content::CpuWhole => (self.used() * 100 / TICKS / self.age().max(1)).to_string(),
            Content::Memory => {
                tenths(self.number(24) * PAGE * 1024 * 1000 / crate::engine::stats::machine_memory().max(1))
            }
            Content::Resident => (self.number(24) * PAGE).to_string(),
            Content::Virtual => (self.number(23) / 1024).to_string(),
            Content::Pages => (self.number(23) / 1024 / PAGE).to_string(),
            Content::Class => class(self.number(41)).to_owned(),
            Content::Processor => self.field(39).to_owned(),
            // Forked without exec, and used rights of root: proc_pid_stat(5).
            Content::Flags => (self.number(9) >> 6 & 7).to_string(),
            Content::Unknown => "-".to_owned(),
        }
    }

    /// A field by its number in proc_pid_stat(5).
    fn field(&self, number: usize) -> &str {
        number.checked_sub(3).and_then(|n| self.fields.get(n)).map_or("0", String::as_str)
    }

    fn number(&self, number: usize) -> u64 {
        self.field(number).parse().unwrap_or(0)
    }

    fn signed(&self, number: usize) -> i64 {
        self.field(number).parse().unwrap_or(0)
    }

    /// Processor time, in ticks.
    fn used(&self) -> u64 {
        self.number(14) + self.number(15)
    }

    /// Seconds since it was made.
    fn age(&self) -> u64 {
        let age: SignedDuration = Timestamp::now().duration_since(self.since);
        u64::try_from(age.as_secs()).unwrap_or(0)
    }

    /// An id as the container sees it.
    fn inside(&self, id: u32) -> u32 {
        id.checked_sub(self.base).unwrap_or(id)
    }

    fn stat(&self) -> String {
        let nice = self.signed(19);
        let mut stat = self.field(3).to_owned();
        stat += if nice < 0 { "<" } else { "" };
        stat += if nice > 0 { "N" } else { "" };
        stat += if self.field(6) == self.pid.to_string() { "s" } else { "" };
        stat += if self.number(20) > 1 { "l" } else { "" };
        stat += if self.signed(8) > 0 && self.field(8) == self.field(5) { "+" } else { "" };
        stat
    }
}

fn named(id: u32) -> String {
    if id == 0 { "root".to_owned() } else { id.to_string() }
}

/// A device number as `/proc` has it: only pseudo-terminals have a name here.
fn terminal(device: u64) -> String {
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xfff00);
    match major {
        136..=143 => format!("pts/{}", minor + (major - 136) * 256),
        _ if device == 0 => "?".to_owned(),
        _ => "-".to_owned(),
    }
}

fn class(policy: u64) -> &'static str {
    ["TS", "FF", "RR", "B", "ISO", "IDL", "DLN"].get(usize::try_from(policy).unwrap_or(9)).unwrap_or(&"?")
}

/// `[DD-]HH:MM:SS`
fn clock(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    if days == 0 { clock } else { format!("{days:02}-{clock}") }
}

/// `[[DD-]HH:]MM:SS`
fn elapsed(seconds: u64) -> String {
    let whole = clock(seconds);
    match seconds {
        ..3600 => whole.strip_prefix("00:").unwrap_or(&whole).to_owned(),
        _ => whole,
    }
}

/// A number of thousandths as one of hundredths.
fn tenths(thousandths: u64) -> String {
    format!("{}.{}", thousandths / 10, thousandths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_terminals_as_ps_writes_them() {
        assert_eq!((clock(3661).as_str(), clock(90_000).as_str()), ("01:01:01", "01-01:00:00"));
        assert_eq!((elapsed(61).as_str(), elapsed(3661).as_str()), ("01:01", "01:01:01"));
        assert_eq!((terminal(0).as_str(), terminal(34_817).as_str()), ("?", "pts/1"));
        assert_eq!(tenths(123), "12.3");
    }

    #[test]
    fn what_is_read_of_this_process_is_what_it_knows() {
        let me = i32::try_from(std::process::id()).unwrap();
        let process = Process::read(me, 0).unwrap();
        assert_eq!(process.cell(Content::Pid), me.to_string());
        assert_eq!(process.cell(Content::Parent), std::os::unix::process::parent_id().to_string());
        assert_eq!(process.cell(Content::UserId), rustix::process::geteuid().as_raw().to_string());
        let pages: u64 = process.cell(Content::Resident).parse().unwrap();
        assert!(pages > 0 && process.cell(Content::Virtual).parse::<u64>().unwrap() >= pages);
        assert!(process.cell(Content::Threads).parse::<u64>().unwrap() >= 1);
    }
}
