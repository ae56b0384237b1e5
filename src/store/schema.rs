//! The tables of a run file.

/// "VxPo": what marks a SQLite file as a run file.
pub(super) const APPLICATION_ID: i32 = 0x5678_506f;

/// The version of the tables, kept as `user_version`.
///
/// 1: the first. 2: what is in [`ADDED_IN_2`].
pub(super) const VERSION: i32 = 2;

/// Bytes a page: the size at which 1,000,000 answers of 2 KB took 10 s. It must be set before WAL.
pub(super) const PAGE_SIZE: u32 = 16 * 1024;

/// `interview` and `fate` have a row only where the interview is over. They are two tables, since
/// a resume scans the narrow one: measured, 1,000,000 rows of it in 0.1 s, where a scan past the
/// answers would read 1.4 GB. Codes of `status` are `InterviewStatus::code`; times are milliseconds
/// since 1970 UTC; `answer` is JSON as it came over the wire, so
/// `SELECT answer ->> '$.survey.support_level' FROM fate` works in any SQLite.
pub(super) const TABLES: &str = "
CREATE TABLE run (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL,
    survey TEXT NOT NULL,
    settings TEXT NOT NULL,
    personas_from TEXT NOT NULL,
    personas INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    voxpop_version TEXT NOT NULL,
    summary TEXT
) STRICT;
CREATE TABLE persona (
    persona INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    weight REAL,
    attributes TEXT NOT NULL
) STRICT;
CREATE TABLE interview (
    persona INTEGER PRIMARY KEY,
    status INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    finished_at INTEGER NOT NULL
) STRICT;
CREATE TABLE fate (
    persona INTEGER PRIMARY KEY,
    answer TEXT,
    refusal TEXT,
    failure TEXT
) STRICT;
CREATE TABLE attempt (
    persona INTEGER NOT NULL,
    number INTEGER NOT NULL,
    stage TEXT NOT NULL,
    endpoint INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    queued_us INTEGER NOT NULL,
    waited_for_slot_us INTEGER NOT NULL,
    waited_for_rate_us INTEGER NOT NULL,
    on_the_wire_us INTEGER NOT NULL,
    parsed_us INTEGER NOT NULL,
    status INTEGER,
    request_id TEXT,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    cached_tokens INTEGER,
    failure TEXT,
    body TEXT,
    PRIMARY KEY (persona, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE limit_change (
    change INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    endpoint INTEGER NOT NULL,
    limit_name TEXT NOT NULL,
    changed_from INTEGER,
    changed_to INTEGER,
    set_by TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE TABLE phase_change (
    change INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    phase TEXT NOT NULL
) STRICT;
";

/// What came with version 2. `step` is the timeline of an interview that has several stages, in
/// JSON; `flag` has what critics were not content with; `spending`, in picodollars, what may have
/// been spent that no attempt shows; `from_cache` is 1 where nothing was sent; `talk` has what was
/// said to a persona after its answer, and what it said; `packed` those that answered in one call
/// with others, and how many they were; `digest`, `insight` and `analysis` are what the answers
/// come to, their lists in JSON. An attempt of a digest or of the summary has, in the place of a
/// persona, the number that `PersonaIndex::of_piece` gives it. `batch` has the batches of calls,
/// each with what is on file of its life, in JSON; `batch_line` has their lines in the order of
/// their files, so that an attempt with the persona and the number of a line is what came of it.
pub(super) const ADDED_IN_2: &str = "
CREATE TABLE step (
    persona INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    stage TEXT NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (persona, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE spending (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at_most INTEGER,
    unrecorded INTEGER NOT NULL
) STRICT;
CREATE TABLE flag (
    persona INTEGER NOT NULL,
    number INTEGER NOT NULL,
    issue TEXT NOT NULL,
    PRIMARY KEY (persona, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE batch (
    batch INTEGER PRIMARY KEY,
    made_at INTEGER NOT NULL,
    endpoint INTEGER NOT NULL,
    most_picousd INTEGER NOT NULL,
    record TEXT NOT NULL
) STRICT;
CREATE TABLE batch_line (
    batch INTEGER NOT NULL,
    line INTEGER NOT NULL,
    persona INTEGER NOT NULL,
    stage TEXT NOT NULL,
    round INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    repaired INTEGER NOT NULL,
    cap_raised INTEGER NOT NULL,
    PRIMARY KEY (batch, line)
) STRICT, WITHOUT ROWID;
CREATE TABLE digest (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    covers TEXT NOT NULL,
    findings TEXT NOT NULL,
    made_by TEXT NOT NULL
) STRICT;
CREATE TABLE insight (
    persona INTEGER PRIMARY KEY,
    digest INTEGER NOT NULL,
    support INTEGER NOT NULL,
    drivers TEXT NOT NULL,
    themes TEXT NOT NULL
) STRICT;
CREATE TABLE analysis (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL,
    analysis TEXT NOT NULL
) STRICT;
CREATE TABLE talk (
    persona INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    said_by TEXT NOT NULL,
    text TEXT NOT NULL,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    cached_tokens INTEGER,
    PRIMARY KEY (persona, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE packed (
    persona INTEGER PRIMARY KEY,
    personas INTEGER NOT NULL
) STRICT;
ALTER TABLE attempt ADD COLUMN from_cache INTEGER NOT NULL DEFAULT 0;
";

/// The same for a reader of an older file, which it may not change: empty, and only its own.
pub(super) fn added_in_2_for_readers() -> String {
    ADDED_IN_2.replace("CREATE TABLE", "CREATE TEMP TABLE").replace(
        "ALTER TABLE attempt ADD COLUMN from_cache INTEGER NOT NULL DEFAULT 0",
        "CREATE TEMP VIEW attempt AS SELECT *, 0 AS from_cache FROM main.attempt",
    )
}
