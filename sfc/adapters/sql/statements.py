"""All SQL of the SQLite flow index."""

FORMAT = 2
"""Of the tables. An index of another format is emptied: it is made again from the log."""

TABLES = ("flows", "history", "state_counts", "state_durations", "dead_letters", "dead_letter_marks", "positions", "totals")

SCHEMA = """
CREATE TABLE flows (
    flow TEXT PRIMARY KEY, run INTEGER NOT NULL, seq INTEGER NOT NULL,
    last INTEGER NOT NULL,      -- number of the last event in history: of an interval in several records, less than seq for a moment
    blueprint TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL, paused INTEGER NOT NULL,
    started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, error TEXT, cause TEXT,
    document BLOB NOT NULL,     -- FlowDocument
    open BLOB NOT NULL          -- OpenStates
) WITHOUT ROWID;
CREATE INDEX flows_by_start ON flows (started_ms DESC, flow DESC);
CREATE INDEX flows_by_status ON flows (status, started_ms DESC, flow DESC);
CREATE INDEX flows_by_end ON flows (ended_ms) WHERE ended_ms > 0;
CREATE INDEX flows_by_blueprint ON flows (blueprint, version, status, paused);
CREATE TABLE history (
    flow TEXT NOT NULL, run INTEGER NOT NULL, first INTEGER NOT NULL, events BLOB NOT NULL,
    PRIMARY KEY (flow, run, first)
) WITHOUT ROWID;
CREATE TABLE state_counts (
    blueprint TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL,
    entered INTEGER NOT NULL, completed INTEGER NOT NULL, failed INTEGER NOT NULL, retries INTEGER NOT NULL,
    timed INTEGER NOT NULL, total_ms INTEGER NOT NULL,
    PRIMARY KEY (blueprint, version, state)
) WITHOUT ROWID;
CREATE TABLE state_durations (
    blueprint TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL, bucket INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (blueprint, version, state, bucket)
) WITHOUT ROWID;
CREATE TABLE dead_letters (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, reason TEXT NOT NULL, document BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX dead_letters_by_time ON dead_letters (at_ms DESC, id DESC);
CREATE TABLE dead_letter_marks (
    id TEXT PRIMARY KEY, state TEXT NOT NULL, at_ms INTEGER NOT NULL, resolved_by TEXT NOT NULL    -- may be there before its letter
) WITHOUT ROWID;
CREATE TABLE positions (topic TEXT NOT NULL, number INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (topic, number)) WITHOUT ROWID;
CREATE TABLE totals (name TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
"""

KNOWN_FLOW = "SELECT last, document, open FROM flows WHERE flow = ?"

PUT_FLOW = """
INSERT OR REPLACE INTO flows (flow, run, seq, last, blueprint, version, status, paused, started_ms, ended_ms, error, cause, document, open)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

PUT_HISTORY = "INSERT OR IGNORE INTO history (flow, run, first, events) VALUES (?, ?, ?, ?)"

ADD_COUNTS = """
INSERT INTO state_counts (blueprint, version, state, entered, completed, failed, retries, timed, total_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (blueprint, version, state) DO UPDATE SET
    entered = entered + excluded.entered, completed = completed + excluded.completed, failed = failed + excluded.failed,
    retries = retries + excluded.retries, timed = timed + excluded.timed, total_ms = total_ms + excluded.total_ms
"""

ADD_DURATIONS = """
INSERT INTO state_durations (blueprint, version, state, bucket, count) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (blueprint, version, state, bucket) DO UPDATE SET count = count + excluded.count
"""

PUT_DEAD_LETTER = "INSERT OR IGNORE INTO dead_letters (id, at_ms, reason, document) VALUES (?, ?, ?, ?)"

PUT_MARK = """
INSERT INTO dead_letter_marks (id, state, at_ms, resolved_by) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, at_ms = excluded.at_ms, resolved_by = excluded.resolved_by
WHERE excluded.at_ms > dead_letter_marks.at_ms
"""

PUT_POSITION = "INSERT OR REPLACE INTO positions (topic, number, position) VALUES (?, ?, ?)"

ADD_TOTAL = "INSERT INTO totals (name, count) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET count = count + excluded.count"

POSITIONS = "SELECT topic, number, position FROM positions"

GET_FLOW = "SELECT document FROM flows WHERE flow = ?"

FIND_FLOWS = "SELECT document FROM flows WHERE {conditions} ORDER BY started_ms DESC, flow DESC LIMIT ?"

IN_STATE = "EXISTS (SELECT 1 FROM json_each(CAST(document AS TEXT), '$.states') WHERE value = ?)"

SOMEWHERE = "(flow LIKE ? ESCAPE '\\' OR error LIKE ? ESCAPE '\\' OR cause LIKE ? ESCAPE '\\')"

LATEST_RUN = "SELECT MAX(run) FROM history WHERE flow = ?"

RUNS = "SELECT DISTINCT run FROM history WHERE flow = ? ORDER BY run DESC LIMIT 100"

HISTORY = "SELECT events FROM history WHERE flow = ? AND run = ? ORDER BY first"

FLOW_COUNTS = "SELECT blueprint, version, status, paused, COUNT(*) FROM flows {where} GROUP BY blueprint, version, status, paused"

STATE_COUNTS = "SELECT blueprint, version, state, entered, completed, failed, retries, timed, total_ms FROM state_counts {where}"

STATE_DURATIONS = "SELECT blueprint, version, state, bucket, count FROM state_durations {where}"

_MARKED = "dead_letters AS d LEFT JOIN dead_letter_marks AS m ON m.id = d.id"

DEAD_LETTERS = f"""
SELECT d.document, m.state, m.at_ms, m.resolved_by FROM {_MARKED}
WHERE (d.at_ms, d.id) < (?1, ?2) AND ?3 IN ('', COALESCE(m.state, 'open')) ORDER BY d.at_ms DESC, d.id DESC LIMIT ?4
"""

DEAD_LETTER = f"SELECT d.document, m.state, m.at_ms, m.resolved_by FROM {_MARKED} WHERE d.id = ?"

DEAD_LETTER_COUNTS = f"SELECT d.reason, COUNT(*) FROM {_MARKED} WHERE m.id IS NULL GROUP BY d.reason"

STARTED = "SELECT (started_ms - :from) / :step, COUNT(*) FROM flows WHERE started_ms >= :from AND started_ms < :to {only} GROUP BY 1"

ENDED = """
SELECT (ended_ms - :from) / :step, status, COUNT(*) FROM flows
WHERE ended_ms > 0 AND ended_ms >= :from AND ended_ms < :to {only} GROUP BY 1, 2
"""

TOTAL = "SELECT count FROM totals WHERE name = ?"

COPY = "INSERT INTO main.{table} SELECT * FROM fresh.{table}"
