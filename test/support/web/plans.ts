import type { Plans, Run, Steps, WholeRun } from '../../../src/web/model/answers.js';
import { NOW } from './machines.js';

/** Two plans: one that runs, one that waits for its trigger. */

const RUN: Run = {
  id: '5e6f7a8b', plan: 'lab-off', state: 'running', began: NOW - 72_000, ended: null, deadline: NOW + 600_000, cause: 'kim', reason: null, stages: { ended: 1, all: 4 }, targets: { ended: 5, failed: 1, all: 8 },
};

export const PLANS: Plans = {
  plans: [{ name: 'lab-off', held: false, run: RUN }, { name: 'power-cut', held: false, run: null }, { name: 'night', held: true, run: null }],
  triggers: [
    { name: 'ups', type: 'nut', plans: ['power-cut'], words: 'rack1: on line, OL, charge 98 %, runtime 42 min' },
    { name: 'nightly', type: 'schedule', plans: ['night', 'lab-off'], words: 'next 2026-11-28T22:30:00+01:00' },
  ],
};

const target = (stage: string, instance: string, state: WholeRun['targets'][number]['state'], detail = ''): WholeRun['targets'][number] => ({ stage, instance, action: 'stop', state, detail });

export const WHOLE_RUN: WholeRun = {
  run: RUN,
  stages: [
    { name: 'workers', action: 'stop', state: 'done', after: [], reason: null, targets: { ended: 3, failed: 0, all: 3 } },
    { name: 'caches', action: 'stop', state: 'failed', after: [], reason: null, targets: { ended: 2, failed: 1, all: 2 } },
    { name: 'databases', action: 'stop', state: 'running', after: ['workers'], reason: null, targets: { ended: 0, failed: 0, all: 2 } },
    { name: 'storage', action: 'stop', state: 'waiting', after: ['databases', 'caches'], reason: null, targets: { ended: 0, failed: 0, all: 1 } },
  ],
  targets: [
    target('workers', 'kvm1/web-01', 'done'), target('workers', 'kvm2/web-02', 'done'), target('workers', 'kvm1/build-01', 'already'),
    target('caches', 'kvm1/cache-01', 'done'), target('caches', 'kvm2/cache-02', 'failed', 'TIMEOUT: still on after 60 s'),
    target('databases', 'kvm1/db-01', 'sent'), target('databases', 'kvm2/db-02', 'waiting'), target('storage', 'rack-a/nas', 'waiting'),
  ],
};

export const STEPS: Steps = {
  steps: [
    { stage: 'workers', instance: 'kvm1/web-01', state: 'on', words: 'clean shutdown, then power off after 90 s', refused: false },
    { stage: 'workers', instance: 'kvm2/web-02', state: 'off', words: 'nothing, it is off already', refused: false },
    { stage: 'databases', instance: null, state: null, words: 'after workers', refused: false },
    { stage: 'databases', instance: 'kvm1/db-01', state: 'on', words: 'clean shutdown', refused: false },
    { stage: 'databases', instance: 'lxc-ci/db-02', state: 'unknown', words: 'UNREACHABLE: lxc-ci does not answer', refused: true },
  ],
};
