//! Which of its limits a session has come against, found by comparing two readings, and how a student is told.
//!
//! Pure: knows no engine and no clock.

use super::engine::{Limits, Network};
use sandlot_wire::Meter;

/// Periods of enforcement that must have passed before the share of waiting is judged: five seconds of a busy processor.
const PERIODS: u64 = 50;

/// Seconds for which the same limit is not told again; what happens anew is counted all the same.
const QUIET: i64 = 60;

/// A disk counts as full below the larger of this and a 64th of its size.
const FULL: u64 = 256 << 10;

/// Notes that a session keeps, one for each limit.
const BOUNDS: usize = 5;

/// A limit of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// A program was killed, for the memory was full.
    Memory,
    /// A process was refused.
    Processes,
    /// Nothing more can be written.
    Disk,
    /// It waits for the processor more than half of the time.
    Processor,
    /// There was no way to where a program wanted.
    Network,
}

impl Bound {
    /// All.
    pub const ALL: [Self; BOUNDS] =
        [Self::Memory, Self::Processes, Self::Disk, Self::Processor, Self::Network];

    /// Its name in figures and in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::Disk => "disk",
            Self::Processor => "processor",
            Self::Network => "network",
        }
    }

    /// What a student is told.
    #[must_use]
    pub fn words(self, limits: &Limits, network: Network) -> String {
        match (self, network) {
            (Self::Memory, _) => format!(
                "the memory of this session ({}) was full, so a program in it was ended; its shell says \"Killed\"",
                size(limits.memory)
            ),
            (Self::Processes, _) => format!(
                "this session has as many processes and threads as it may ({}): no more programs start until some end",
                limits.pids
            ),
            (Self::Disk, _) => format!(
                "the disk of this session ({}) is full: nothing more can be written until something is deleted",
                size(limits.disk)
            ),
            (Self::Processor, _) => format!(
                "this session wants more than its {} and waits more than half of the time: its programs are slower, and nothing \
                 is broken",
                processors(limits.nano_cpus)
            ),
            (Self::Network, Network::None) => {
                "a program tried to reach another machine, and this session has no network: only localhost answers here"
                    .to_owned()
            }
            (Self::Network, Network::Internet) => {
                "a connection found no way: from this session public addresses can be reached, private ones and other \
                 sessions cannot"
                    .to_owned()
            }
        }
    }
}

/// A limit that was come against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// Which.
    pub bound: Bound,
    /// How often, as the kernel counts.
    pub count: u64,
    /// When last, in seconds since 1970.
    pub at: i64,
}

/// What is remembered of a session between two readings.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    last: Option<Meter>,
    /// Periods, and those of waiting, at the beginning of what is judged next.
    window: (u64, u64),
    full: Option<Fullness>,
    notes: Vec<Note>,
    told: Vec<(Bound, i64)>,
}

/// Whether the disk was found full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fullness {
    Full,
    Free,
}

impl Watch {
    /// Of a container that was just made: all that is counted is its own.
    #[must_use]
    pub fn of_new() -> Self {
        Self { last: Some(Meter::default()), full: Some(Fullness::Free), ..Self::default() }
    }

    /// Takes a reading; the limits of which the session is to be told now.
    pub fn take(&mut self, meter: &Meter, limits: &Limits, now: i64) -> Vec<Bound> {
        // What happened before the first reading belongs to nobody who could be told.
        let last = self.last.replace(meter.clone());
        let Some(last) = last else {
            self.window = (meter.periods, meter.throttled_periods);
            self.full = Some(Fullness::Free);
            return Vec::new();
        };
        let grown = |of: fn(&Meter) -> u64| of(meter).saturating_sub(of(&last));
        let found = [
            (Bound::Memory, grown(|m| m.oom_kills)),
            (Bound::Processes, grown(|m| m.pids_refused)),
            (Bound::Disk, self.filled(meter, limits)),
            (Bound::Processor, self.waited(meter)),
            (Bound::Network, grown(|m| m.unreachable)),
        ];
        let mut told = Vec::new();
        for (bound, count) in found.into_iter().filter(|(_, count)| *count > 0) {
            self.note(bound, count, now);
            let quiet = self.told.iter().any(|(old, at)| *old == bound && now - at < QUIET);
            if !quiet {
                self.told.retain(|(old, _)| *old != bound);
                self.told.push((bound, now));
                told.push(bound);
            }
        }
        told
    }

    /// The limits that were come against, each once.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The last reading.
    #[must_use]
    pub fn last(&self) -> Option<&Meter> {
        self.last.as_ref()
    }

    fn note(&mut self, bound: Bound, count: u64, at: i64) {
        match self.notes.iter_mut().find(|note| note.bound == bound) {
            Some(note) => (note.count, note.at) = (note.count.saturating_add(count), at),
            None => self.notes.push(Note { bound, count, at }),
        }
    }

    /// 1 when the disk has just become full.
    fn filled(&mut self, meter: &Meter, limits: &Limits) -> u64 {
        let full = meter.disk_used > 0 && meter.disk_left < FULL.max(limits.disk / 64);
        let now = if full { Fullness::Full } else { Fullness::Free };
        let before = self.full.replace(now);
        u64::from(now == Fullness::Full && before == Some(Fullness::Free))
    }

    /// 1 when more than half of the periods that have passed since the last judgement were spent waiting.
    fn waited(&mut self, meter: &Meter) -> u64 {
        let (periods, waited) = (
            meter.periods.saturating_sub(self.window.0),
            meter.throttled_periods.saturating_sub(self.window.1),
        );
        if periods < PERIODS {
            return 0;
        }
        self.window = (meter.periods, meter.throttled_periods);
        u64::from(waited * 2 > periods)
    }
}

/// Bytes as memory is sold: `512 MiB`, `1.5 GiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {}", UNITS[unit]),
        (whole, tenth) => format!("{whole}.{tenth} {}", UNITS[unit]),
    }
}

fn processors(nano_cpus: u64) -> String {
    match nano_cpus {
        1_000_000_000 => "one processor".to_owned(),
        others => {
            let hundredths = others / 10_000_000;
            let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
            format!("{} processors", text.trim_end_matches('0').trim_end_matches('.'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { memory: 512 << 20, nano_cpus: 1_500_000_000, pids: 64, disk: 1 << 30 };

    fn meter() -> Meter {
        Meter { disk_used: 1 << 20, disk_left: 1 << 29, ..Meter::default() }
    }

    #[test]
    fn each_limit_is_told_once_and_counted_on() {
        let mut watch = Watch::default();
        let before = Meter { oom_kills: 7, unreachable: 3, ..meter() };
        assert_eq!(watch.take(&before, &LIMITS, 0), []);
        assert_eq!(watch.take(&before, &LIMITS, 2), []);
        let mut now = Meter { oom_kills: 8, pids_refused: 2, unreachable: 4, disk_left: 0, ..before };
        let told = [Bound::Memory, Bound::Processes, Bound::Disk, Bound::Network];
        assert_eq!(watch.take(&now, &LIMITS, 4), told);
        (now.oom_kills, now.pids_refused) = (9, 100);
        assert_eq!(watch.take(&now, &LIMITS, 6), []);
        assert_eq!(watch.notes()[0], Note { bound: Bound::Memory, count: 2, at: 6 });
        now.oom_kills = 10;
        assert_eq!(watch.take(&now, &LIMITS, 64), [Bound::Memory]);
        assert_eq!(watch.notes().len(), 4);
    }

    #[test]
    fn of_a_new_container_everything_is_its_own() {
        let now = Meter { oom_kills: 1, ..meter() };
        assert_eq!(Watch::of_new().take(&now, &LIMITS, 0), [Bound::Memory]);
        assert_eq!(Watch::default().take(&now, &LIMITS, 0), []);
    }

    #[test]
    fn a_disk_is_full_again_only_after_it_was_not() {
        let mut watch = Watch::default();
        let full = Meter { disk_left: 0, ..meter() };
        watch.take(&meter(), &LIMITS, 0);
        assert_eq!(watch.take(&full, &LIMITS, 2), [Bound::Disk]);
        assert_eq!(watch.take(&full, &LIMITS, 200), []);
        watch.take(&meter(), &LIMITS, 202);
        assert_eq!(watch.take(&full, &LIMITS, 204), [Bound::Disk]);
        // Where there is no figure, nothing is full.
        let mut unknown = Watch::default();
        unknown.take(&Meter::default(), &LIMITS, 0);
        assert_eq!(unknown.take(&Meter::default(), &LIMITS, 2), []);
    }

    #[test]
    fn waiting_is_judged_over_a_while() {
        let mut watch = Watch::default();
        let at = |periods, throttled_periods| Meter { periods, throttled_periods, ..meter() };
        watch.take(&at(100, 100), &LIMITS, 0);
        assert_eq!(watch.take(&at(120, 120), &LIMITS, 2), [], "too short to judge");
        assert_eq!(watch.take(&at(160, 125), &LIMITS, 6), [], "25 of 60 is less than half");
        assert_eq!(watch.take(&at(220, 160), &LIMITS, 12), [Bound::Processor]);
    }

    #[test]
    fn the_words_name_the_limit() {
        for (bound, words) in [
            (Bound::Memory, "512 MiB"),
            (Bound::Processes, "(64)"),
            (Bound::Disk, "1 GiB"),
            (Bound::Processor, "1.5 processors"),
            (Bound::Network, "no network"),
        ] {
            let text = bound.words(&LIMITS, Network::None);
            assert!(text.contains(words), "{text}");
        }
        assert_eq!(
            (size(1536 << 10), size(100), size(3 << 41)),
            ("1.5 MiB".into(), "0 KiB".into(), "6 TiB".into())
        );
    }
}
