import type * as v from 'valibot';
import type * as shapes from '../../gateways/web/api/shapes.js';

/** What the page reads below `/api` beside the messages of the feed, as the server's own table has it. Times are milliseconds since 1970. */

/** `GET /api/instances/NAME` */
export type Details = v.InferOutput<typeof shapes.details>;

/** One of the `disks` among the facts of {@link Details}. */
export interface DiskRow {
  readonly target: string;
  readonly type: string;
  readonly format?: string;
  /** bytes */
  readonly size?: number | string;
  readonly source?: string;
}

/** `GET /api/instances/NAME/readings?names=ip,load` */
export type Readings = v.InferOutput<typeof shapes.readings>;
/** One reading, or why there is none. Bytes may be a text, since they may be more than a number holds. */
export type Reading = Readings['readings'][string];

/** `POST /api/power/preview` */
export type Preview = v.InferOutput<typeof shapes.previewAnswer>;
/** `GET /api/tasks`: newest first */
export type Tasks = v.InferOutput<typeof shapes.tasks>;
/** `GET /api/events?instance=NAME&limit=N`: newest last */
export type Events = v.InferOutput<typeof shapes.events>;

/** `GET /api/plans` */
export type Plans = v.InferOutput<typeof shapes.plans>;
export type Plan = Plans['plans'][number];
export type Run = v.InferOutput<typeof shapes.run>;
/** `GET /api/plans/NAME/preview` */
export type Steps = v.InferOutput<typeof shapes.steps>;
export type Step = Steps['steps'][number];
/** `GET /api/runs/ID` */
export type WholeRun = v.InferOutput<typeof shapes.wholeRun>;

/** `GET /api/audit?account=&instance=&since=&until=&limit=`: newest first */
export type AuditRows = v.InferOutput<typeof shapes.audit>;
