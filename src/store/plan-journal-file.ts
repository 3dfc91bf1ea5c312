import { PLAN_OWED_KEPT, PLAN_RUNS_KEPT, PLAN_TARGETS_KEPT } from '../kit/plan-limits.js';
import type { Sqlite, Value } from './sqlite.js';
import type { Operations } from './store-file.js';

/** The side of the thread of plan-journal.ts. */

export const PLANS_SCHEMA = `
  CREATE TABLE IF NOT EXISTS plan_runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, plan TEXT NOT NULL, state TEXT NOT NULL, reason TEXT,
    source TEXT NOT NULL, words TEXT NOT NULL, at INTEGER NOT NULL,
    began INTEGER NOT NULL, ended INTEGER, settings TEXT NOT NULL,
    time_left INTEGER, noted INTEGER NOT NULL
  );
  CREATE INDEX IF NOT EXISTS plan_runs_ended ON plan_runs (ended, number);
  CREATE TABLE IF NOT EXISTS plan_stages (
    run TEXT NOT NULL, stage INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT, missing INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, stage)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS plan_targets (
    run TEXT NOT NULL, stage INTEGER NOT NULL, target INTEGER NOT NULL,
    provider TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, is_own INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting', detail TEXT NOT NULL DEFAULT '', mark TEXT, sent INTEGER,
    PRIMARY KEY (run, stage, target)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS plan_owed (
    plan TEXT NOT NULL, provider TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
    run TEXT NOT NULL, source TEXT NOT NULL, since INTEGER NOT NULL,
    PRIMARY KEY (plan, provider, id)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS plan_owed_machine ON plan_owed (provider, id);
`;

const RUN = 'id, plan, state, reason, source, words, at, began, ended, time_left AS timeLeft, noted';
const COUNTS = `
  (SELECT count(*) FROM plan_targets WHERE run = plan_runs.id) AS targets,
  (SELECT count(*) FROM plan_targets WHERE run = plan_runs.id AND state NOT IN ('waiting', 'sent')) AS targetsEnded,
  (SELECT count(*) FROM plan_targets WHERE run = plan_runs.id AND state IN ('failed', 'uncertain')) AS targetsFailed,
  (SELECT count(*) FROM plan_stages WHERE run = plan_runs.id) AS stages,
  (SELECT count(*) FROM plan_stages WHERE run = plan_runs.id AND state IN ('done', 'failed', 'skipped', 'cancelled')) AS stagesEnded`;

export const planOperations = (database: Sqlite): Operations => ({ ...writing(database), ...settling(database), ...reading(database) });

function writing(database: Sqlite): Operations {
  const insertRun = database.prepare(`
    INSERT INTO plan_runs (id, plan, state, reason, source, words, at, began, settings, time_left, noted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const insertStage = database.prepare("INSERT INTO plan_stages (run, stage, state) VALUES (?, ?, 'waiting')");
  const changeRun = database.prepare('UPDATE plan_runs SET state = ?, reason = ?, ended = ?, time_left = ?, noted = ? WHERE id = ?');
  const changeStage = database.prepare('UPDATE plan_stages SET state = ?, reason = ?, missing = ? WHERE run = ? AND stage = ?');
  const clearTargets = database.prepare('DELETE FROM plan_targets WHERE run = ? AND stage = ? AND target >= ?');
  // thousands of them come as one text: to hand over rows one by one costs far more than they do
  const insertTargets = database.prepare(`
    INSERT INTO plan_targets (run, stage, target, provider, id, name, is_own)
    SELECT ?, ?, ? + key, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), json_extract(value, '$[3]') FROM json_each(?)`);
  // what an earlier run has switched off is not this one's, where this one came to its end without it
  const settleOwed = database.prepare(`
    DELETE FROM plan_owed WHERE plan = (SELECT plan FROM plan_runs WHERE id = ?) AND run <> ?
      AND NOT EXISTS (SELECT 1 FROM plan_targets WHERE run = ? AND plan_targets.provider = plan_owed.provider AND plan_targets.id = plan_owed.id)`);
  const makeRoom = roomMaker(database);
  return {
    'plan.begin': ([stages = 0, ...row]) => {
      if (!makeRoom()) return { full: true };
      insertRun.run(...row);
      for (let stage = 0; stage < Number(stages); stage += 1) insertStage.run(row[0] ?? null, stage);
      return undefined;
    },
    'plan.run': ([id = null, isComplete = 0, ...change]) => {
      changeRun.run(...change, id);
      if (isComplete === 1) settleOwed.run(id, id, id);
    },
    'plan.stage': ([run = null, stage = null, ...change]) => void changeStage.run(...change, run, stage),
    'plan.targets': ([run = null, stage = null, from = 0, text = '[]']) => {
      clearTargets.run(run, stage, from);
      insertTargets.run(run, stage, from, text);
    },
  };
}

/** Forgets runs that have ended, the oldest first, those last that are the last of their plan. */
function roomMaker(database: Sqlite): () => boolean {
  const runs = database.prepare('SELECT count(*) AS count FROM plan_runs');
  const targets = database.prepare('SELECT count(*) AS count FROM plan_targets');
  const oldest = database.prepare(`
    SELECT id FROM plan_runs WHERE ended IS NOT NULL
    ORDER BY number = (SELECT max(number) FROM plan_runs AS other WHERE other.plan = plan_runs.plan), number LIMIT 1`);
  const forget = ['plan_targets', 'plan_stages'].map((table) => database.prepare(`DELETE FROM ${table} WHERE run = ?`));
  const forgetRun = database.prepare('DELETE FROM plan_runs WHERE id = ?');
  const forgetOwed = database.prepare(`
    DELETE FROM plan_owed WHERE (plan, provider, id) IN (SELECT plan, provider, id FROM plan_owed ORDER BY since DESC LIMIT -1 OFFSET ${PLAN_OWED_KEPT})`);
  const countOf = (statement: typeof runs): number => (statement.get() as { count: number }).count;
  return () => {
    forgetOwed.run();
    while (countOf(runs) >= PLAN_RUNS_KEPT || countOf(targets) >= PLAN_TARGETS_KEPT) {
      const run = oldest.get() as { id: string } | undefined;
      if (run === undefined) return countOf(runs) < PLAN_RUNS_KEPT;
      [...forget, forgetRun].forEach((statement) => statement.run(run.id));
    }
    return true;
  };
}

function settling(database: Sqlite): Operations {
  const noteTime = database.prepare('UPDATE plan_runs SET time_left = ?, noted = ? WHERE id = ?');
  const send = database.prepare("UPDATE plan_targets SET state = 'sent', mark = ?, sent = coalesce(sent, ?) WHERE run = ? AND stage = ? AND target = ?");
  const settle = database.prepare('UPDATE plan_targets SET state = ?, detail = ? WHERE run = ? AND stage = ? AND target = ?');
  const settleAll = database.prepare('UPDATE plan_targets SET state = ?, detail = ? WHERE run = ? AND stage = ? AND state = ?');
  const owing = `
    INSERT OR REPLACE INTO plan_owed (plan, provider, id, name, run, source, since)
    SELECT plan_runs.plan, provider, plan_targets.id, name, run, source, ?
    FROM plan_targets JOIN plan_runs ON plan_runs.id = run WHERE run = ? AND stage = ?`;
  const owe = database.prepare(`${owing} AND target = ?`);
  const oweAll = database.prepare(`${owing} AND plan_targets.state = ? AND mark = 'on'`);
  const pay = database.prepare(`
    DELETE FROM plan_owed WHERE (provider, id) = (SELECT provider, id FROM plan_targets WHERE run = ? AND stage = ? AND target = ?)`);
  return {
    'plan.sent': ([run = null, stage = null, target = null, mark = null, left = null, now = null]) => {
      send.run(mark, now, run, stage, target);
      noteTime.run(left, now, run);
    },
    'plan.settled': ([run = null, stage = null, target = null, state = null, detail = null, debt = 'none', left = null, now = null]) => {
      settle.run(state, detail, run, stage, target);
      noteTime.run(left, now, run);
      if (debt === 'owed') owe.run(now, run, stage, target);
      else if (debt === 'paid') pay.run(run, stage, target);
    },
    'plan.settleAll': ([run = null, stage = null, from = null, state = null, detail = null, owes = 0, now = null]) => {
      if (owes === 1) oweAll.run(now, run, stage, from);
      settleAll.run(state, detail, run, stage, from);
    },
  };
}

function reading(database: Sqlite): Operations {
  const all = database.prepare(`SELECT ${RUN}, ${COUNTS} FROM plan_runs ORDER BY number DESC`);
  const run = database.prepare(`SELECT ${RUN}, settings FROM plan_runs WHERE id = ?`);
  const stages = database.prepare('SELECT state, reason, missing FROM plan_stages WHERE run = ? ORDER BY stage');
  const targets = database.prepare(`
    SELECT json_group_array(json_array(stage, provider, id, name, is_own, state, detail, mark, sent)) AS targets
    FROM (SELECT * FROM plan_targets WHERE run = ? ORDER BY stage, target)`);
  const owed = database.prepare('SELECT plan, provider, id, name, source FROM plan_owed ORDER BY since, provider, id');
  const one = (id: Value): unknown => {
    const found = run.get(id);
    return found === undefined ? undefined : { run: found, stages: stages.all(id), ...targets.get(id) as { targets: string } };
  };
  return {
    'plan.list': () => all.all(),
    'plan.get': ([id = null]) => one(id),
    'plan.owed': () => owed.all(),
  };
}
