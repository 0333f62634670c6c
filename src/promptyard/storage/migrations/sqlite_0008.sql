CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE completions (
	id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	run_id TEXT NOT NULL, 
	base_url TEXT NOT NULL, 
	replicate BIGINT NOT NULL, 
	model TEXT NOT NULL, 
	body TEXT, 
	completion TEXT NOT NULL, 
	finish_reason TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_completions_key_run_id UNIQUE ("key", run_id)
);

CREATE TABLE attempts (
	id INTEGER NOT NULL, 
	run_id TEXT NOT NULL, 
	role TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	started_at TEXT NOT NULL, 
	outcome TEXT, 
	tokens BIGINT, 
	cost_usd FLOAT, 
	finished_at TEXT, 
	PRIMARY KEY (id)
);

CREATE TABLE runs (
	seq INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	task TEXT NOT NULL, 
	status TEXT NOT NULL, 
	started_at TEXT NOT NULL, 
	sentence TEXT NOT NULL, 
	header TEXT NOT NULL, 
	result TEXT, 
	PRIMARY KEY (seq), 
	CONSTRAINT uq_runs_id UNIQUE (id)
);

CREATE INDEX ix_runs_task ON runs (task);

CREATE TABLE journal (
	run_id TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	payload TEXT NOT NULL, 
	at TEXT NOT NULL, 
	PRIMARY KEY (run_id, seq)
);

CREATE TABLE reports (
	run_id TEXT NOT NULL, 
	purpose TEXT NOT NULL, 
	program_id TEXT NOT NULL, 
	split TEXT NOT NULL, 
	report TEXT NOT NULL, 
	saved_at TEXT NOT NULL, seq BIGINT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (run_id, purpose, program_id, split)
);

CREATE TABLE looks (
	holdout_key TEXT NOT NULL, 
	pair_key TEXT NOT NULL, 
	looked_at TEXT NOT NULL, 
	PRIMARY KEY (holdout_key, pair_key)
);

CREATE TABLE eval_sets (
	name TEXT NOT NULL, 
	version TEXT NOT NULL, 
	eval_set TEXT NOT NULL, 
	saved_at TEXT NOT NULL, 
	PRIMARY KEY (name, version)
);

CREATE TABLE versions (
	name TEXT NOT NULL, 
	number BIGINT NOT NULL, 
	digest TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	version TEXT NOT NULL, 
	PRIMARY KEY (name, number), 
	CONSTRAINT uq_versions_name_digest UNIQUE (name, digest)
);

CREATE TABLE pointers (
	prompt TEXT NOT NULL, 
	pointer TEXT NOT NULL, 
	number BIGINT NOT NULL, 
	moved_at TEXT NOT NULL, 
	PRIMARY KEY (prompt, pointer), 
	CONSTRAINT fk_pointers_version FOREIGN KEY(prompt, number) REFERENCES versions (name, number)
);

CREATE TABLE moves (
	seq INTEGER NOT NULL, 
	prompt TEXT NOT NULL, 
	pointer TEXT NOT NULL, 
	from_number BIGINT, 
	to_number BIGINT NOT NULL, 
	moved_at TEXT NOT NULL, 
	move TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	CONSTRAINT fk_moves_version FOREIGN KEY(prompt, to_number) REFERENCES versions (name, number)
);

CREATE INDEX ix_moves_prompt_pointer ON moves (prompt, pointer);

CREATE TRIGGER versions_refuse_update BEFORE UPDATE ON versions BEGIN SELECT RAISE(ABORT, 'versions is append-only'); END;

CREATE TRIGGER versions_refuse_delete BEFORE DELETE ON versions BEGIN SELECT RAISE(ABORT, 'versions is append-only'); END;

CREATE TRIGGER moves_refuse_update BEFORE UPDATE ON moves BEGIN SELECT RAISE(ABORT, 'moves is append-only'); END;

CREATE TRIGGER moves_refuse_delete BEFORE DELETE ON moves BEGIN SELECT RAISE(ABORT, 'moves is append-only'); END;

CREATE TABLE report_trials (
	run_id TEXT NOT NULL, 
	purpose TEXT NOT NULL, 
	program_id TEXT NOT NULL, 
	split TEXT NOT NULL, 
	chunk BIGINT NOT NULL, 
	trials TEXT NOT NULL, 
	PRIMARY KEY (run_id, purpose, program_id, split, chunk)
);

CREATE TABLE measurements (
	id INTEGER NOT NULL, 
	task TEXT NOT NULL, 
	program_id TEXT NOT NULL, 
	eval_set_version TEXT NOT NULL, 
	split TEXT NOT NULL, 
	run_id TEXT NOT NULL, 
	purpose TEXT NOT NULL, 
	measurement TEXT NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_measurements_report UNIQUE (run_id, purpose, program_id, split)
);

CREATE INDEX ix_measurements_task ON measurements (task);

CREATE TABLE certificates (
	seq INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	prompt_hash TEXT NOT NULL, 
	certificate TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	CONSTRAINT uq_certificates_id UNIQUE (id)
);

CREATE INDEX ix_certificates_prompt_hash ON certificates (prompt_hash);

CREATE TABLE eval_set_versions (
	seq INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	version TEXT NOT NULL, 
	parent TEXT, 
	change TEXT NOT NULL, 
	n_cases BIGINT NOT NULL, 
	n_by_split TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	CONSTRAINT uq_eval_set_versions_name_version UNIQUE (name, version)
);

CREATE INDEX ix_attempts_run_id_role ON attempts (run_id, role);

CREATE TABLE protections (
	seq INTEGER NOT NULL, 
	prompt TEXT NOT NULL, 
	pointer TEXT NOT NULL, 
	protection TEXT NOT NULL, 
	PRIMARY KEY (seq)
);

CREATE INDEX ix_protections_prompt ON protections (prompt);

CREATE TABLE move_requests (
	seq INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	prompt TEXT NOT NULL, 
	request TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	CONSTRAINT uq_move_requests_id UNIQUE (id)
);

CREATE INDEX ix_move_requests_prompt ON move_requests (prompt);

CREATE TABLE publications (
	seq INTEGER NOT NULL, 
	target TEXT NOT NULL, 
	is_active BIGINT NOT NULL, 
	at TEXT NOT NULL, 
	PRIMARY KEY (seq)
);

CREATE TABLE rollouts (
	seq INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	prompt TEXT NOT NULL, 
	rollout TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	CONSTRAINT uq_rollouts_id UNIQUE (id)
);

CREATE INDEX ix_rollouts_prompt ON rollouts (prompt);

CREATE TABLE decisions (
	rollout_id TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	decision TEXT NOT NULL, number BIGINT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (rollout_id, seq), 
	CONSTRAINT fk_decisions_rollout FOREIGN KEY(rollout_id) REFERENCES rollouts (id)
);

CREATE TABLE live_events (
	id INTEGER NOT NULL, 
	event_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	prompt TEXT NOT NULL, 
	rollout_id TEXT, 
	outcome_id TEXT, 
	stored_at TEXT NOT NULL, 
	event TEXT NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_live_events_event_id UNIQUE (event_id)
);

CREATE INDEX ix_live_events_prompt ON live_events (prompt, id);

CREATE INDEX ix_live_events_rollout_id ON live_events (rollout_id, id);

CREATE TABLE alerts (
	seq INTEGER NOT NULL, 
	prompt TEXT NOT NULL, 
	at TEXT NOT NULL, 
	alert TEXT NOT NULL, 
	PRIMARY KEY (seq)
);

CREATE INDEX ix_alerts_prompt ON alerts (prompt);

CREATE TRIGGER protections_refuse_update BEFORE UPDATE ON protections BEGIN SELECT RAISE(ABORT, 'protections is append-only'); END;

CREATE TRIGGER protections_refuse_delete BEFORE DELETE ON protections BEGIN SELECT RAISE(ABORT, 'protections is append-only'); END;

CREATE TRIGGER rollouts_refuse_update BEFORE UPDATE ON rollouts BEGIN SELECT RAISE(ABORT, 'rollouts is append-only'); END;

CREATE TRIGGER rollouts_refuse_delete BEFORE DELETE ON rollouts BEGIN SELECT RAISE(ABORT, 'rollouts is append-only'); END;

CREATE TABLE spans (
	id INTEGER NOT NULL, 
	trace_id TEXT NOT NULL, 
	span_id TEXT NOT NULL, 
	prompt TEXT, 
	version BIGINT, 
	is_error BIGINT NOT NULL, 
	stored_at TEXT NOT NULL, 
	span TEXT NOT NULL, response_id TEXT, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_spans_trace_id_span_id UNIQUE (trace_id, span_id)
);

CREATE TABLE traffic_hours (
	prompt TEXT NOT NULL, 
	version BIGINT NOT NULL, 
	arm TEXT NOT NULL, 
	hour TEXT NOT NULL, 
	totals TEXT NOT NULL, 
	PRIMARY KEY (prompt, version, arm, hour)
);

CREATE TABLE api_keys (
	seq INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	api_key TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	CONSTRAINT uq_api_keys_id UNIQUE (id)
);

CREATE TABLE audit (
	seq INTEGER NOT NULL, 
	actor TEXT NOT NULL, 
	at TEXT NOT NULL, 
	entry TEXT NOT NULL, prunes_before TEXT, 
	PRIMARY KEY (seq)
);

CREATE INDEX ix_audit_actor ON audit (actor, seq);

CREATE TABLE jobs (
	seq INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	is_active BIGINT NOT NULL, 
	change BIGINT NOT NULL, 
	job TEXT NOT NULL, ended_at TEXT, 
	PRIMARY KEY (seq), 
	CONSTRAINT uq_jobs_id UNIQUE (id)
);

CREATE INDEX ix_jobs_is_active ON jobs (is_active, seq);

CREATE TABLE leases (
	name TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	fence BIGINT NOT NULL, 
	ends_at_s FLOAT NOT NULL, 
	note TEXT NOT NULL, 
	PRIMARY KEY (name)
);

CREATE TABLE webhooks (
	seq INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	webhook TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	CONSTRAINT uq_webhooks_id UNIQUE (id)
);

CREATE TRIGGER audit_refuse_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

CREATE INDEX ix_spans_prompt ON spans (prompt, id) WHERE prompt IS NOT NULL;

CREATE INDEX ix_spans_response_id ON spans (response_id) WHERE response_id IS NOT NULL;

CREATE TRIGGER decisions_refuse_update BEFORE UPDATE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions is append-only'); END;

CREATE TRIGGER decisions_refuse_delete BEFORE DELETE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions is append-only'); END;

CREATE UNIQUE INDEX ix_decisions_number ON decisions (number);

CREATE INDEX ix_jobs_ended_at ON jobs (ended_at) WHERE ended_at IS NOT NULL;

CREATE INDEX ix_audit_at ON audit (at);

CREATE INDEX ix_audit_prunes_before ON audit (prunes_before) WHERE prunes_before IS NOT NULL;

CREATE INDEX ix_live_events_outcome_id ON live_events (outcome_id, id) WHERE outcome_id IS NOT NULL;

CREATE TRIGGER audit_refuse_delete BEFORE DELETE ON audit WHEN NOT EXISTS (SELECT 1 FROM audit WHERE prunes_before > OLD.at AND seq > OLD.seq) BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END
