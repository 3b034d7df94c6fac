//! From the options of ps(1) to the columns that they mean.
//!
//! Options that choose among all processes of a machine (`-e`, `a`, `x`) are taken and mean nothing here; of the others those
//! that name columns are understood, and the rest is refused.

use super::process::Content;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name at the top.
    pub(super) title: String,
    /// What stands in it.
    pub(super) content: Content,
}

/// The most columns that may be asked for.
const MOST: usize = 64;

/// Names as after `-o`, their titles, and what they show.
const KNOWN: &[(&[&str], &str, Content)] = &[
    (&["pid"], "PID", Content::Pid),
    (&["ppid"], "PPID", Content::Parent),
    (&["pgid", "pgrp"], "PGID", Content::Group),
    (&["sid", "session", "sess"], "SID", Content::Session),
    (&["uid", "euid"], "UID", Content::UserId),
    (&["user", "euser", "uname"], "USER", Content::User),
    (&["ruser"], "RUSER", Content::User),
    (&["gid", "egid"], "GID", Content::GroupId),
    (&["group", "egroup"], "GROUP", Content::GroupName),
    (&["comm", "ucmd", "ucomm"], "COMMAND", Content::Name),
    (&["args", "command"], "COMMAND", Content::Command),
    (&["cmd"], "CMD", Content::Command),
    (&["stat"], "STAT", Content::Stat),
    (&["state", "s"], "S", Content::State),
    (&["nlwp"], "NLWP", Content::Threads),
    (&["thcount"], "THCNT", Content::Threads),
    (&["ni", "nice"], "NI", Content::Nice),
    (&["pri"], "PRI", Content::Priority),
    (&["tty", "tt"], "TT", Content::Terminal),
    (&["tname"], "TTY", Content::Terminal),
    (&["time", "cputime"], "TIME", Content::Time),
    (&["etime"], "ELAPSED", Content::Elapsed),
    (&["etimes"], "ELAPSED", Content::ElapsedSeconds),
    (&["start"], "STARTED", Content::StartSeconds),
    (&["lstart"], "STARTED", Content::StartWhole),
    (&["stime"], "STIME", Content::Start),
    (&["start_time", "bsdstart"], "START", Content::Start),
    (&["bsdtime"], "TIME", Content::ShortTime),
    (&["pcpu", "%cpu"], "%CPU", Content::Cpu),
    (&["pmem", "%mem"], "%MEM", Content::Memory),
    (&["rss", "rssize", "rsz"], "RSS", Content::Resident),
    (&["vsz", "vsize"], "VSZ", Content::Virtual),
    (&["sz"], "SZ", Content::Pages),
    (&["c"], "C", Content::CpuWhole),
    (&["cls", "class", "policy"], "CLS", Content::Class),
    (&["psr"], "PSR", Content::Processor),
    (&["f", "flag", "flags"], "F", Content::Flags),
    (&["wchan"], "WCHAN", Content::Unknown),
    (&["addr"], "ADDR", Content::Unknown),
    (&["opri"], "PRI", Content::OldPriority),
];

/// The formats that have a letter, as lists.
const PLAIN: &str = "pid,tname,time,ucmd=CMD";
const PLAIN_BSD: &str = "pid,tname,stat,bsdtime,args";
const FULL: &str = "user=UID,pid,ppid,c,stime,tname,time,cmd";
const EXTRA_FULL: &str = "user=UID,pid,ppid,c,sz,rss,psr,stime,tname,time,cmd";
const LONG: &str = "f,s,uid,pid,ppid,c,opri,ni,addr,sz,wchan,tname,time,ucmd=CMD";
const JOBS: &str = "pid,pgid,sid,tname,time,ucmd=CMD";
const USER: &str = "user,pid,pcpu,pmem,vsz,rss,tname,stat,start_time,bsdtime,args";

/// The columns that options mean; none means those of `-ef`, as Docker has it.
pub(super) fn of(options: &str) -> Result<Vec<Column>, String> {
    let mut words = options.split_whitespace();
    let (mut chosen, mut format) = (Vec::new(), PLAIN);
    if options.trim().is_empty() {
        return list(FULL);
    }
    while let Some(word) = words.next() {
        let mut next =
            || words.next().ok_or_else(|| format!("ps: error: the option {word} needs a list of columns"));
        if let Some(long) = word.strip_prefix("--") {
            match long.split_once('=') {
                Some(("format", columns)) => chosen.extend(list(columns)?),
                None if long == "format" => chosen.extend(list(next()?)?),
                _ => return Err(unknown(word)),
            }
            continue;
        }
        let (letters, bsd) = word.strip_prefix('-').map_or((word, true), |letters| (letters, false));
        for (at, letter) in letters.char_indices() {
            match (letter, bsd) {
                ('o', _) => {
                    let rest = &letters[at + 1..];
                    chosen.extend(list(if rest.is_empty() { next()? } else { rest })?);
                    break;
                }
                ('w', _) | ('e' | 'A' | 'a' | 'd', false) => {}
                ('a' | 'x' | 'g', true) => format = if format == PLAIN { PLAIN_BSD } else { format },
                ('f', false) => format = FULL,
                ('F', false) => format = EXTRA_FULL,
                ('l', false) => format = LONG,
                ('j', false) => format = JOBS,
                ('u', true) => format = USER,
                _ => return Err(unknown(word)),
            }
        }
    }
    if chosen.is_empty() { list(format) } else { Ok(chosen) }
}

fn unknown(word: &str) -> String {
    format!(
        "ps: error: the option {word} is not understood: -e, -f, -F, -l, -j, -w, aux and -o with a list of columns are \
         (Sandlot runs no ps, it reads /proc)"
    )
}

/// `pid,comm=NAME`.
fn list(columns: &str) -> Result<Vec<Column>, String> {
    // A title goes on to the end of the word, where there is one.
    let mut all = Vec::new();
    for one in columns.split(',') {
        let (name, title) = one.split_once('=').map_or((one, None), |(name, title)| (name, Some(title)));
        let known = KNOWN.iter().find(|(names, ..)| names.contains(&name));
        let (_, own, content) =
            known.ok_or_else(|| format!("ps: error: unknown user-defined format specifier \"{name}\""))?;
        if title.is_some_and(|title| title.starts_with("PID")) && *content != Content::Pid {
            return Err(format!("specifying \"{name}={}\" is not allowed", title.unwrap_or_default()));
        }
        all.push(Column { title: title.unwrap_or(own).to_owned(), content: *content });
        if all.len() > MOST {
            return Err(format!("ps: error: at most {MOST} columns are shown"));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(options: &str) -> String {
        of(options).map_or_else(|e| e, |all| all.into_iter().map(|c| c.title).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn options_are_those_of_ps() {
        for (options, expected) in [
            ("", "UID PID PPID C STIME TTY TIME CMD"),
            ("-ef", "UID PID PPID C STIME TTY TIME CMD"),
            ("-e", "PID TTY TIME CMD"),
            ("aux", "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"),
            ("ax", "PID TTY STAT TIME COMMAND"),
            ("-l", "F S UID PID PPID C PRI NI ADDR SZ WCHAN TTY TIME CMD"),
            ("-o pid,comm", "PID COMMAND"),
            ("-eopid,comm=NAME", "PID NAME"),
            ("axo pid -o user", "PID USER"),
            ("--format=pid,etime -ww", "PID ELAPSED"),
            ("-o pid=", ""),
        ] {
            assert_eq!(titles(options), expected, "{options}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (options, word) in [
            ("-o pid,wat", "unknown user-defined format specifier \"wat\""),
            ("--wat", "--wat is not understood"),
            ("-Z", "-Z is not understood"),
            ("-o", "-o needs a list"),
            ("-o comm=PID", "not allowed"),
        ] {
            assert!(titles(options).contains(word), "{options}: {}", titles(options));
        }
        assert!(titles(&format!("-o {}", vec!["pid"; 100].join(","))).contains("at most 64"));
    }
}
