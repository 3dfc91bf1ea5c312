import type { Groups } from '../kit/patterns.js';
import type { AuditView } from './audit-view.js';
import type { EnrolmentDesk } from './enrolment.js';
import type { FleetDesk } from './fleet.js';
import type { OwnWorks } from './own-work.js';
import type { PlanDesk } from './plans.js';
import type { OrderDesk } from './power-tasks.js';
import type { Registry } from './registry.js';
import type { TagDesk } from './tag-desk.js';

/** What all actors work with, which nobody outside gets to see. */
export interface ActorParts {
  readonly registry: Registry;
  /** of the configuration as it is now */
  groups(): Groups;
  /** connections of one account that may watch events; none where it is left out */
  maxWatchersPerAccount?(): number;
  /** left out, or undefined: there are no plans */
  plans?(): PlanDesk | undefined;
  /** left out, or undefined: nothing is enrolled */
  enrolment?(): EnrolmentDesk | undefined;
  /** left out, or undefined: this server is in no fleet */
  fleet?(): FleetDesk | undefined;
  readonly orders: OrderDesk;
  readonly audited: AuditView;
  readonly tagDesk: TagDesk;
  readonly ownWorks: OwnWorks;
}
