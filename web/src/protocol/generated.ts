//! Generated from the server's types (`server/src/terminal/protocol.rs`, `server/src/http/body.rs`): do not edit.
//! `SANDLOT_WRITE=1 cargo test -p sandlot-server --test protocol` writes it anew.

/**
 * Whether a viewer may type and resize.
 */
export type TerminalMode = "control" | "view";

/**
 * How much a notice matters.
 */
export type NoticeLevel = "info" | "warning";

/**
 * Somebody who looks at a terminal.
 */
export type Onlooker = { 
/**
 * What they are called: `Owner`, `Guest 2`, ….
 */
name: string, 
/**
 * Whether they may type.
 */
mode: TerminalMode, 
/**
 * Whether the terminal has their size, and their page answers programs' questions: the one who typed last.
 */
drives: boolean, 
/**
 * Whether this is the reader.
 */
you: boolean, };

/**
 * Whether a terminal is being recorded.
 */
export type RecordingState = "on" | "stopped";

/**
 * What the server says.
 */
export type ServerMessage = { "type": "hello", 
/**
 * The terminal's id.
 */
id: string, 
/**
 * What this viewer may do.
 */
mode: TerminalMode, 
/**
 * Present columns.
 */
cols: number, 
/**
 * Present rows.
 */
rows: number, 
/**
 * Whether what follows begins with a replay; `false`: the terminal has printed nothing yet.
 */
replay: boolean, 
/**
 * The length of that replay in bytes; programs' questions in it were answered long ago.
 */
replay_bytes: number, 
/**
 * Whether the size is that of another viewer, who drives.
 */
driven: boolean, 
/**
 * How many bytes the terminal had printed when the replay was made: live bytes begin at this position.
 */
seq: number, 
/**
 * For a page that named itself (`?page=…`) and was here before: how many bytes it has typed in all that were
 * taken. Absent: this server has not seen it, which after a reconnect means that it was started again.
 */
taken?: number, } | { "type": "taken", 
/**
 * Bytes since the page first attached.
 */
bytes: number, } | { "type": "exit", 
/**
 * Exit code, or 128 plus the signal that ended it.
 */
code: number, } | { "type": "notice", 
/**
 * How much they matter.
 */
level: NoticeLevel, 
/**
 * One sentence.
 */
text: string, } | { "type": "people", 
/**
 * In the order in which they came.
 */
people: Array<Onlooker>, } | { "type": "recording", 
/**
 * Whether it still is.
 */
state: RecordingState, 
/**
 * Whether what is typed is written down too.
 */
input: boolean, } | { "type": "size", 
/**
 * Columns.
 */
cols: number, 
/**
 * Rows.
 */
rows: number, } | { "type": "lease", 
/**
 * When the session ends if nothing else happens, RFC 3339.
 */
expires_at: string, 
/**
 * Seconds until then, for a clock that may go wrong.
 */
remaining_seconds: number, 
/**
 * How often it may still be moved.
 */
extensions_left: number, };

/**
 * What the browser says.
 */
export type ClientMessage = { "type": "resize", 
/**
 * Columns.
 */
cols: number, 
/**
 * Rows.
 */
rows: number, } | { "type": "answer", 
/**
 * At most 4 KiB.
 */
text: string, } | { "type": "drive", } | { "type": "ack", 
/**
 * Bytes since the last `ack`.
 */
bytes: number, };

/**
 * One image that a visitor may choose.
 */
export type CatalogueImage = { 
/**
 * The reference that `POST /sessions` takes.
 */
name: string, 
/**
 * Some words for a card.
 */
title: string, 
/**
 * A sentence or two.
 */
description: string, 
/**
 * Whether its sessions may make containers of their own.
 */
nested: boolean, 
/**
 * Whether what their terminals show is recorded.
 */
recorded: boolean, };

/**
 * `POST /sessions`.
 */
export type CreateSession = { 
/**
 * An image of the catalogue; an administrator may name any. Absent: the first of the catalogue.
 */
image?: string, 
/**
 * Kept work to start from, by its id; then no image is named.
 */
kept?: string, 
/**
 * A lab to begin, as `course/lab`, or a course whose slides need a terminal, as `course`; then nothing else is named.
 */
lab?: string, 
/**
 * Ask for the wider profile. Images whose catalogue entry is nested have it anyway; for others only an
 * administrator may ask.
 */
nested?: boolean, };

/**
 * Where a session is in its life.
 */
export type SessionState = "queued" | "starting" | "running" | "paused" | "ended";

/**
 * Why a session ended.
 */
export type EndReason = "closed" | "idle" | "expired" | "abandoned" | "failed" | "gone";

/**
 * A terminal of a session.
 */
export type TerminalInfo = { 
/**
 * Its id, for `GET /sessions/{id}/terminals/{terminal}`.
 */
id: string, 
/**
 * Once its process has ended: the exit code, or 128 plus the signal.
 */
exit_code?: number, };

/**
 * What somebody may do with a session.
 */
export type Access = "owner" | "control" | "view";

/**
 * A session as its owner sees it. Times are RFC 3339.
 */
export type SessionInfo = { 
/**
 * Its id.
 */
id: string, 
/**
 * What the reader may do with it.
 */
access: Access, 
/**
 * The page that shows it.
 */
url: string, 
/**
 * The image's reference.
 */
image: string, 
/**
 * The catalogue's title of the image, or the reference again.
 */
title: string, 
/**
 * Whether it may make containers of its own.
 */
nested: boolean, 
/**
 * Where it is in its life.
 */
state: SessionState, 
/**
 * Place in the queue, from 1; only while queued.
 */
position?: number, 
/**
 * Why it ended; only once ended.
 */
reason?: EndReason, 
/**
 * The end in words; only once ended.
 */
message?: string, 
/**
 * Its terminals, oldest first.
 */
terminals: Array<TerminalInfo>, 
/**
 * When it was asked for.
 */
created_at: string, 
/**
 * When its lifetime is over; `POST …/extend` moves it.
 */
expires_at: string, 
/**
 * Seconds until then: right whatever the reader's clock says.
 */
remaining_seconds: number, 
/**
 * When it ends if nobody types, or comes back, until then; only while it runs.
 */
idle_expires_at?: string, 
/**
 * Seconds until then.
 */
idle_remaining_seconds?: number, 
/**
 * When it ended.
 */
ended_at?: string, 
/**
 * How often it may still be extended.
 */
extensions_left: number, 
/**
 * What it used; only once ended.
 */
used?: SessionUsage, 
/**
 * Terminals of which there is a recording; told to its owner, once ended.
 */
recordings?: Array<string>, 
/**
 * What was kept of it; told to its owner, once ended.
 */
kept?: Array<KeptWork>, };

/**
 * `POST /sessions/{id}/terminals`.
 */
export type CreateTerminal = { 
/**
 * Columns at start, 1 to 1000; absent: 80.
 */
cols?: number, 
/**
 * Rows at start, 1 to 1000; absent: 24.
 */
rows?: number, };

/**
 * What a session has used in all, its earlier containers included.
 */
export type SessionUsage = { 
/**
 * Processor time, in nanoseconds.
 */
cpu_ns: number, 
/**
 * The most memory at once, in bytes.
 */
memory_peak_bytes: number, 
/**
 * The most bytes on its disk at once.
 */
disk_peak_bytes: number, 
/**
 * Bytes read from block devices.
 */
read_bytes: number, 
/**
 * Bytes written to block devices.
 */
written_bytes: number, 
/**
 * Bytes received from networks.
 */
received_bytes: number, 
/**
 * Bytes sent to networks.
 */
sent_bytes: number, 
/**
 * Seconds since its first prompt, until its end.
 */
wall_seconds: number, };

/**
 * A limit of a session.
 */
export type LimitKind = "memory" | "processes" | "disk" | "processor" | "network";

/**
 * A limit that a session came against.
 */
export type LimitNote = { 
/**
 * Which.
 */
limit: LimitKind, 
/**
 * What it means, for people.
 */
text: string, 
/**
 * How often, as the kernel counts.
 */
count: number, 
/**
 * Seconds since it last happened.
 */
seconds_ago: number, };

/**
 * `GET /sessions/{id}/stats`.
 */
export type SessionStats = { 
/**
 * Processor time used so far, in nanoseconds.
 */
cpu_usage_ns: number, 
/**
 * Processors the session may use at once.
 */
cpus: number, 
/**
 * Memory in use, in bytes.
 */
memory_bytes: number, 
/**
 * Memory the session may use, in bytes.
 */
memory_limit_bytes: number, 
/**
 * Processes and threads.
 */
pids: number, 
/**
 * How many there may be.
 */
pids_limit: number, 
/**
 * Bytes written to its disk that are still there.
 */
disk_bytes: number, 
/**
 * Bytes that may be there.
 */
disk_limit_bytes: number, 
/**
 * What it has used in all.
 */
used: SessionUsage, 
/**
 * The limits that it came against, each once.
 */
limits: Array<LimitNote>, 
/**
 * Seconds of its lifetime that are left.
 */
remaining_seconds: number, 
/**
 * Seconds until it is ended if nobody types.
 */
idle_remaining_seconds?: number, };

/**
 * `POST /sessions/{id}/commit`.
 */
export type KeepWork = { 
/**
 * What it is to be called, up to 60 characters; absent: as its image.
 */
title?: string, };

/**
 * What a session changed, kept as an image of its owner's.
 */
export type KeptWork = { 
/**
 * Its id, for `POST /sessions` and `DELETE /kept/{id}`.
 */
id: string, 
/**
 * What its owner calls it.
 */
title: string, 
/**
 * The image of the catalogue that it began with.
 */
image: string, 
/**
 * The session that it was made of.
 */
session: string, 
/**
 * Bytes.
 */
size_bytes: number, 
/**
 * When, RFC 3339.
 */
created_at: string, };

/**
 * Who asks.
 */
export type Role = "visitor" | "administrator";

/**
 * `GET /me`.
 */
export type Me = { 
/**
 * What the caller may do.
 */
role: Role, 
/**
 * Sessions of the caller that have not ended.
 */
sessions: number, 
/**
 * How many there may be at once.
 */
sessions_limit: number, 
/**
 * Seconds without typing after which a session ends.
 */
idle_seconds: number, 
/**
 * Seconds that one `extend` adds.
 */
extend_seconds: number, };

/**
 * Whose engine runs the sessions.
 */
export type EngineKind = "sandlot" | "stock";

/**
 * `GET /info`.
 */
export type Info = { 
/**
 * This server's version.
 */
version: string, 
/**
 * Whose engine runs the sessions.
 */
engine: EngineKind, 
/**
 * What Sandlot promises and cannot keep with this engine.
 */
not_promised: Array<string>, };

/**
 * Every error: `application/problem+json` (RFC 9457).
 */
export type Problem = { 
/**
 * A stable name of the kind of error, `about:blank` when the status says all.
 */
type: string, 
/**
 * The status in words.
 */
title: string, 
/**
 * The HTTP status.
 */
status: number, 
/**
 * What is wrong and what to do, for people.
 */
detail: string, };

/**
 * `POST /sessions/{id}/shares`.
 */
export type CreateShare = { 
/**
 * `view`: its guests look on; `control`: they type as well.
 */
mode: TerminalMode, };

/**
 * Somebody who came by a share link. Times are RFC 3339.
 */
export type GuestInfo = { 
/**
 * What the others call them.
 */
name: string, 
/**
 * When they came first.
 */
first_at: string, 
/**
 * When they came last.
 */
last_at: string, };

/**
 * A share link.
 */
export type ShareInfo = { 
/**
 * Its id.
 */
id: string, 
/**
 * What its guests may do.
 */
mode: TerminalMode, 
/**
 * What is handed to guests; told only when the link is made. Without a public URL, a path on this server.
 */
url?: string, 
/**
 * When it was made.
 */
created_at: string, 
/**
 * When it was revoked.
 */
revoked_at?: string, 
/**
 * Who came by it.
 */
guests: Array<GuestInfo>, };

/**
 * A terminal's recording.
 */
export type RecordingInfo = { 
/**
 * The session.
 */
session: string, 
/**
 * The terminal.
 */
terminal: string, 
/**
 * What the session was started from.
 */
title: string, 
/**
 * When it began.
 */
started_at: string, 
/**
 * When it ended; absent while it goes on.
 */
ended_at?: string, 
/**
 * How long it is, in seconds.
 */
seconds: number, 
/**
 * Bytes on disk.
 */
bytes: number, 
/**
 * Where the asciicast is.
 */
url: string, };

/**
 * A line that a recording shows.
 */
export type FoundLine = { 
/**
 * The session.
 */
session: string, 
/**
 * The terminal.
 */
terminal: string, 
/**
 * What the session was started from.
 */
title: string, 
/**
 * When the recording began.
 */
started_at: string, 
/**
 * When the line was first shown, in seconds since then.
 */
at: number, 
/**
 * The line.
 */
text: string, };

/**
 * `POST /sessions/{id}/terminals/{terminal}/markers`.
 */
export type CreateMarker = { 
/**
 * What this moment is called: at most 200 characters.
 */
label: string, };

/**
 * `GET /registry`.
 */
export type RegistryInfo = { 
/**
 * How sessions call it.
 */
inside: string, 
/**
 * The name space that visitors push to.
 */
space?: string, 
/**
 * How the caller logs in from outside a session.
 */
login?: RegistryLogin, 
/**
 * What is in it, in order of names.
 */
repositories: Array<RegistryRepository>, };

/**
 * Somebody's login at the registry.
 */
export type RegistryLogin = { 
/**
 * The registry, as a reference names it.
 */
host: string, 
/**
 * Their name.
 */
name: string, 
/**
 * Their password.
 */
password: string, };

/**
 * A repository of the registry.
 */
export type RegistryRepository = { 
/**
 * Its name.
 */
name: string, 
/**
 * Whether it is the caller's.
 */
own: boolean, 
/**
 * Bytes of all that is in it.
 */
size_bytes: number, 
/**
 * How many tags it has.
 */
tag_count: number, 
/**
 * Its tags, the last pushed first: at most twenty.
 */
tags: Array<RegistryTag>, };

/**
 * A tag of a repository.
 */
export type RegistryTag = { 
/**
 * The tag.
 */
name: string, 
/**
 * The digest of what it stands for.
 */
digest: string, 
/**
 * Bytes that are fetched for it.
 */
size_bytes: number, 
/**
 * When it was pushed: RFC 3339.
 */
pushed_at: string, 
/**
 * What fetches it in a session.
 */
pull: string, };

/**
 * What stands at a path.
 */
export type FileKind = "file" | "directory" | "link" | "other";

/**
 * One entry of a directory.
 */
export type FileEntry = { 
/**
 * Its name: any bytes, percent-encoded.
 */
name: string, 
/**
 * What it is.
 */
kind: FileKind, 
/**
 * Of a link: what it leads to, if that is there.
 */
leads_to?: FileKind, 
/**
 * Bytes.
 */
size: number, 
/**
 * When its content was changed, in milliseconds since 1970.
 */
changed: number, 
/**
 * Its permissions, as chmod takes them.
 */
mode: number, 
/**
 * Another one after every change: what `ETag` tells and `If-Match` takes, without the quotes.
 */
tag: string, };

/**
 * `GET /sessions/{id}/files/{path}` of a directory.
 */
export type FileListing = { 
/**
 * What is in it, in no order.
 */
entries: Array<FileEntry>, 
/**
 * Whether there is more than is told.
 */
truncated: boolean, 
/**
 * The most bytes of one upload.
 */
upload_limit: number, };

/**
 * One event `change` of `GET /sessions/{id}/file-changes`.
 */
export type FileChange = { 
/**
 * The directory, percent-encoded.
 */
directory: string, 
/**
 * The names in it; none: anything may have changed, the directory itself included.
 */
names: Array<string>, };

/**
 * `POST /sessions/{id}/files/{path}`.
 */
export type RenameFile = { 
/**
 * The new path: any bytes, percent-encoded. Nothing must be there.
 */
to: string, };

/**
 * One port on which something listens in a session: `GET /sessions/{id}/ports`.
 */
export type ListeningPort = { 
/**
 * The TCP port.
 */
port: number, 
/**
 * The path of the playground that leads to its preview, where there is a domain for previews.
 */
url?: string, };

/**
 * A course in the catalogue: `GET /courses`.
 */
export type CourseInfo = { 
/**
 * Its name in addresses.
 */
name: string, 
/**
 * What it is called.
 */
title: string, 
/**
 * Its description's first paragraph, as text.
 */
summary: string, 
/**
 * In words.
 */
difficulty?: string, 
/**
 * How long it takes, about.
 */
minutes?: number, 
/**
 * Who wrote it.
 */
authors: Array<string>, 
/**
 * How many labs it has.
 */
labs: number, 
/**
 * How many slides it has.
 */
slides: number, 
/**
 * How many steps its labs have.
 */
steps: number, 
/**
 * How many of them the caller has passed.
 */
passed: number, };

/**
 * What a part of a course is.
 */
export type CourseItemKind = "slides" | "lab" | "broken";

/**
 * A part of a course.
 */
export type CourseItem = { 
/**
 * What it is.
 */
kind: CourseItemKind, 
/**
 * Its name in addresses.
 */
name: string, 
/**
 * What it is called.
 */
title: string, 
/**
 * What it is about, as text.
 */
summary: string, 
/**
 * How long it takes, about.
 */
minutes?: number, 
/**
 * How many steps or slides it has.
 */
steps: number, 
/**
 * How many steps the caller has passed.
 */
passed: number, };

/**
 * `GET /courses/{course}`.
 */
export type CourseDetail = { 
/**
 * The course.
 */
course: CourseInfo, 
/**
 * Its description, HTML.
 */
description: string, 
/**
 * What it consists of, in order.
 */
contents: Array<CourseItem>, 
/**
 * What is wrong with it, for the administrator.
 */
faults: Array<string>, 
/**
 * Changes with every change of the course's files.
 */
version: string, };

/**
 * A port of a lab.
 */
export type LabPort = { 
/**
 * It.
 */
port: number, 
/**
 * Some words.
 */
title: string, };

/**
 * A hint.
 */
export type LabHint = { 
/**
 * HTML.
 */
html: string, 
/**
 * Failed tries after which it is offered.
 */
after?: number, };

/**
 * A task.
 */
export type LabTask = { 
/**
 * Its name.
 */
name: string, 
/**
 * HTML.
 */
html: string, 
/**
 * Whether its check runs by itself, too.
 */
auto: boolean, 
/**
 * How often that failed.
 */
failures: number, 
/**
 * Hints.
 */
hints: Array<LabHint>, 
/**
 * Whether it is passed.
 */
passed: boolean, };

/**
 * How a question is answered.
 */
export type QuestionKind = "single" | "multiple" | "text";

/**
 * A question, without what is right.
 */
export type LabQuestion = { 
/**
 * Its name.
 */
name: string, 
/**
 * HTML.
 */
html: string, 
/**
 * How it is answered.
 */
kind: QuestionKind, 
/**
 * HTML of each choice.
 */
choices: Array<string>, 
/**
 * Whether it is passed.
 */
passed: boolean, };

/**
 * A step of a lab.
 */
export type LabStep = { 
/**
 * Its name.
 */
name: string, 
/**
 * Its title.
 */
title: string, 
/**
 * Its text, HTML.
 */
html: string, 
/**
 * Files that the editor shows, with `:` and a line.
 */
open: Array<string>, 
/**
 * Hints.
 */
hints: Array<LabHint>, 
/**
 * Whether it has a check of its own.
 */
checked: boolean, 
/**
 * Whether that runs by itself, too.
 */
auto: boolean, 
/**
 * How often that failed.
 */
failures: number, 
/**
 * Whether the author gave solutions for all of it.
 */
solvable: boolean, 
/**
 * Titles of steps that come before its check.
 */
after: Array<string>, 
/**
 * Several things to do.
 */
tasks: Array<LabTask>, 
/**
 * Questions.
 */
quiz: Array<LabQuestion>, 
/**
 * Whether all of it is passed.
 */
passed: boolean, };

/**
 * `GET /courses/{course}/labs/{lab}`.
 */
export type LabDetail = { 
/**
 * The course.
 */
course: string, 
/**
 * What that is called.
 */
course_title: string, 
/**
 * The lab.
 */
name: string, 
/**
 * What it is called.
 */
title: string, 
/**
 * Before the first step, HTML.
 */
intro?: string, 
/**
 * After the last step, HTML.
 */
finish?: string, 
/**
 * Names of the terminals that are there at once.
 */
terminals: Array<string>, 
/**
 * What is shown of its ports.
 */
ports: Array<LabPort>, 
/**
 * The steps.
 */
steps: Array<LabStep>, 
/**
 * The caller's session of it that still lives.
 */
session?: string, 
/**
 * Changes with every change of the course's files.
 */
version: string, };

/**
 * How far a lab's session was prepared.
 */
export type LabReadiness = "preparing" | "ready" | "failed";

/**
 * `GET /sessions/{id}/lab`.
 */
export type LabSession = { 
/**
 * The course.
 */
course: string, 
/**
 * The lab; empty: the course's slides.
 */
lab: string, 
/**
 * How far it was prepared.
 */
state: LabReadiness, 
/**
 * Why not further.
 */
message: string, };

/**
 * `POST /sessions/{id}/lab/check`.
 */
export type CheckStep = { 
/**
 * The step.
 */
step: string, 
/**
 * A task of it; absent: its own check.
 */
task?: string, 
/**
 * Whether the page asks by itself: a failure counts as no try then.
 */
auto?: boolean, };

/**
 * How a check or an answer went.
 */
export type CheckResult = { 
/**
 * Whether it passed.
 */
passed: boolean, 
/**
 * What is said to it: a check's last lines.
 */
feedback: string, 
/**
 * What is said to an answer, HTML.
 */
said: Array<string>, 
/**
 * Whether all of the step is passed now.
 */
step_passed: boolean, };

/**
 * `POST /sessions/{id}/lab/solve`, `…/open` and `…/back`, `POST /courses/{course}/labs/{lab}/read`.
 */
export type NameStep = { 
/**
 * The step.
 */
step: string, };

/**
 * `POST /courses/{course}/labs/{lab}/answer`.
 */
export type AnswerQuestion = { 
/**
 * The step.
 */
step: string, 
/**
 * The question.
 */
question: string, 
/**
 * The numbers of the choices that were ticked.
 */
choices?: Array<number>, 
/**
 * The answer, where there are no choices.
 */
text?: string, };

/**
 * A slide.
 */
export type SlideInfo = { 
/**
 * Its heading as text.
 */
title: string, 
/**
 * HTML.
 */
html: string, 
/**
 * What the speaker reads, HTML.
 */
notes: string, 
/**
 * Whether a terminal stands beside it.
 */
terminal: boolean, };

/**
 * `GET /courses/{course}/slides/{deck}`.
 */
export type DeckDetail = { 
/**
 * The course.
 */
course: string, 
/**
 * What that is called.
 */
course_title: string, 
/**
 * The deck.
 */
name: string, 
/**
 * What it is called.
 */
title: string, 
/**
 * The slides.
 */
slides: Array<SlideInfo>, 
/**
 * Changes with every change of the course's files.
 */
version: string, };

/**
 * A part of a step that somebody tried: `GET /courses/{course}/progress`. Times are RFC 3339.
 */
export type ProgressEntry = { 
/**
 * Who.
 */
visitor: string, 
/**
 * The lab.
 */
lab: string, 
/**
 * The step.
 */
step: string, 
/**
 * `check`, `task:NAME`, `quiz:NAME`, or `read`.
 */
part: string, 
/**
 * How often.
 */
tries: number, 
/**
 * The first try.
 */
first_at: string, 
/**
 * The last try.
 */
last_at: string, 
/**
 * When it was passed.
 */
passed_at?: string, };
