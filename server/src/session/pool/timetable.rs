//! At which times sessions are to be ready, whether or not anybody asked: what the configuration says.
//!
//! Pure: the caller says what time it is.

use super::Kind;
use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

/// So many are to be ready until then, whatever was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warmup {
    /// Of which kind.
    pub kind: Kind,
    /// How many.
    pub count: usize,
    /// Until when, in seconds since 1970.
    pub until: i64,
}

/// A span of time, once or every week.
#[derive(Debug, Clone)]
pub enum Window {
    /// Between two seconds since 1970.
    Once {
        /// The first.
        from: i64,
        /// The first that does not belong to it any more.
        until: i64,
    },
    /// Between two times of the same day.
    Weekly {
        /// On which days.
        days: Vec<Weekday>,
        /// The first time.
        from: Time,
        /// The first that does not belong to it any more.
        until: Time,
        /// Where the clock hangs.
        zone: TimeZone,
    },
}

impl Window {
    /// The second at which it closes, if it is open at second `now`.
    #[must_use]
    pub fn open(&self, now: i64) -> Option<i64> {
        match self {
            Self::Once { from, until } => (*from..*until).contains(&now).then_some(*until),
            Self::Weekly { days, from, until, zone } => {
                let here = Timestamp::from_second(now).ok()?.to_zoned_datetime(zone.clone());
                let open = days.contains(&here.weekday()) && (*from..*until).contains(&here.time());
                let closes = zone.to_timestamp(here.date().to_datetime(*until)).ok()?;
                open.then(|| closes.as_second())
            }
        }
    }
}

/// So many of a kind at those times.
#[derive(Debug, Clone)]
pub(in crate::session) struct Planned {
    /// Of which kind.
    pub(in crate::session) kind: Kind,
    /// How many.
    pub(in crate::session) count: usize,
    /// When.
    pub(in crate::session) window: Window,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Timetable(pub(super) Vec<Planned>);

impl Timetable {
    /// What is to be ready at second `now`, with what was announced beside it: of each kind the most.
    pub(super) fn at(&self, now: i64, announced: &[Warmup]) -> Vec<Warmup> {
        let planned = self.0.iter().filter_map(|planned| {
            let until = planned.window.open(now)?;
            Some(Warmup { kind: planned.kind.clone(), count: planned.count, until })
        });
        let mut all: Vec<Warmup> = Vec::new();
        for one in planned.chain(announced.iter().cloned()) {
            match all.iter_mut().find(|other| other.kind == one.kind) {
                Some(other) if other.count >= one.count => (),
                Some(other) => *other = one,
                None => all.push(one),
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(time: &str) -> i64 {
        time.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn a_week_has_its_hours_where_the_clock_hangs() {
        let window = Window::Weekly {
            days: vec![Weekday::Monday, Weekday::Wednesday],
            from: Time::constant(8, 45, 0, 0),
            until: Time::constant(12, 0, 0, 0),
            zone: TimeZone::fixed(jiff::tz::offset(1)),
        };
        // 23 November 2026 is a Monday.
        let closes = Some(second("2026-11-23T11:00:00Z"));
        for (time, open) in [
            ("2026-11-23T07:44:59Z", None),
            ("2026-11-23T07:45:00Z", closes),
            ("2026-11-23T10:59:59Z", closes),
            ("2026-11-23T11:00:00Z", None),
            ("2026-11-24T09:00:00Z", None),
            ("2026-11-25T09:00:00Z", Some(second("2026-11-25T11:00:00Z"))),
        ] {
            assert_eq!(window.open(second(time)), open, "{time}");
        }
    }

    #[test]
    fn once_is_once() {
        let window = Window::Once { from: 10, until: 20 };
        assert_eq!([9, 10, 19, 20].map(|now| window.open(now)), [None, Some(20), Some(20), None]);
    }
}
