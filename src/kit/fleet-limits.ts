/** Limits of the fleet: many sites behind fronts, over NATS. Times in milliseconds, sizes in bytes. */

/** A message of an order, an answer, or a sign of life; and a value of the inventory. */
export const FLEET_MESSAGE = 64 * 1024;
export const FLEET_CHUNK_SIZE = 256 * 1024;
/** Several events that are told together: when half a message is full, the next ones go into another. */
export const FLEET_NEWS = 2 * FLEET_MESSAGE;
/** Orders, questions and answers, and events of a stream, that go together under one signature; how long the first of them waits for others at most; and for how long is signed before anything else has its turn. */
export const FLEET_PARCEL = 128;
export const FLEET_GATHERING = 4;
export const FLEET_SIGNING = 2;
/** How long what comes right behind other events, or entries of an audit, waits for more before it goes into the stream with them. */
export const FLEET_STREAM_GATHERING = 20;
/** What a value of the inventory may unpack to. */
export const FLEET_CHUNK_UNPACKED = 4 * 1024 * 1024;
/** Machines that a value of the inventory holds as a rule. */
export const FLEET_CHUNK_MACHINES = 500;
/** Values of one provider's inventory, and providers of one site. */
export const FLEET_CHUNKS = 8192;
export const FLEET_PROVIDERS = 512;
/** Sites that one front knows, and fronts that one site obeys. */
export const FLEET_SITES = 1024;
export const FLEET_FRONTS = 64;

/** Servers of the bus that a configuration names. */
export const FLEET_SERVERS = 16;
/** Machines that a front sorts in one go. */
export const FLEET_SORTED_AT_ONCE = 1024;
/** Keys, values and events that were no good and that a front remembers to have told of. */
export const FLEET_COMPLAINTS = 1024;
/** Entries of a front's audit that wait for the disk, those of one message, and characters of a text in one. */
export const FLEET_AUDIT_GATHERED = 10_000;
export const FLEET_AUDIT_MESSAGE = 256;
export const FLEET_AUDIT_TEXT = 1500;
/** Within which several providers that are other than before are told of together; and until the last events of a server that ends are out. */
export const FLEET_NEWS_PAUSE = 50;
export const FLEET_LAST_EVENTS = 2000;
/** Calls to one remote provider at a time: its site bounds them by itself. */
export const FLEET_CALLS = 512;
/** How often a front lists what it has in memory, where nothing was told. */
export const FLEET_RELIST_INTERVAL = 300_000;

/** How often a value of the inventory is written anew at most; changes go as events at once. */
export const FLEET_CHUNK_PAUSE = 1000;
/** Values that are under way to the bus at a time. */
export const FLEET_CHUNKS_UNDER_WAY = 16;
/** How often all that a site has is compared with what it has written: what no event tells. And as a part of the time, at most. */
export const FLEET_COMPARE_INTERVAL = 60_000;
export const FLEET_COMPARE_SHARE = 0.01;
/** Values of each provider that are read back at each of these, one after the other, since others may have written there. */
export const FLEET_READ_BACK = 64;
/** How often the disk is told which events have arrived, at most: those that it does not know are looked for in the stream after a restart. */
export const FLEET_ACKNOWLEDGE_PAUSE = 100;
/** Processes that have sent events from a site's state folder, as far as it remembers. */
export const FLEET_LIVES = 64;
/** Events that are told to fronts late, where there was no connection for a moment; and characters of an event's text that grows with what was typed. */
export const FLEET_EVENTS_LATE = 1000;
export const FLEET_EVENT_TEXT = 2048;

/** How often a site says that it is alive, and after how long without that it counts as away. */
export const FLEET_ALIVE_INTERVAL = 5000;
export const FLEET_DEAD_AFTER = 20_000;
/** What the configuration may say of the former. */
export const FLEET_ALIVE_SHORTEST = 100;
export const FLEET_ALIVE_LONGEST = 60_000;
/** How far the clocks of a front and a site may be apart. */
export const FLEET_CLOCK_SKEW = 2000;
/** In which a site has to begin an order, where the configuration does not say; and at most, since ids are remembered for longer than that. */
export const FLEET_SEND_TIMEOUT = 5000;
export const FLEET_SEND_LONGEST = 30_000;
/** When a site says first that an order is under way, so that a front need not send it again; how often from then on; and how long a front waits for that before it asks. */
export const FLEET_RUNNING_FIRST = 1000;
export const FLEET_RUNNING_INTERVAL = 5000;
export const FLEET_RUNNING_PATIENCE = 15_000;
/** Until a front has the answer to a question about what became of an order, and between two such questions. */
export const FLEET_RESULT_TIMEOUT = 2000;
export const FLEET_RESULT_PAUSE = 1000;
/** What is left to a front beyond the time of an action, to hear of its end. */
export const FLEET_ANSWER_GRACE = 10_000;
/** Without a word to an order for so long, a front sends it again, with its id: a site begins it once. Then it waits longer and longer, up to the second time. */
export const FLEET_FIRST_WORD = 2000;
export const FLEET_ASK_AGAIN_LONGEST = 5000;
/** A site that says nothing for so long about an order is not waited for any longer, however long that may take. */
export const FLEET_SILENCE_LONGEST = 60_000;
/** How long a site may go on saying that an order is under way, beyond the time in which the front expects its end. */
export const FLEET_OVERTIME = 3_600_000;
/** For telling a site that nobody waits for an order any longer. */
export const FLEET_CANCEL_TIMEOUT = 5000;
/** Between two looks at which sites have fallen silent: at most, where none will before, and at least, however many do. */
export const FLEET_SILENCE_LOOK = 1000;
export const FLEET_SILENCE_LOOK_LEAST = 20;
/** Signs of life by which the clock of a site is known: the one that came quickest counts. */
export const FLEET_CLOCK_SAMPLES = 4;
/** Processes of one site that a front remembers, to know them from each other. */
export const FLEET_INCARNATIONS = 8;
/** Sets of capabilities that machines of one site have, as far as a front knows. */
export const FLEET_MACHINE_KINDS = 4096;
/** How often a front asks a silent site whether it is there after all; and one for which the bus has nobody, until it counts as silent. */
export const FLEET_PROBE_INTERVAL = 10_000;
export const FLEET_MISSING_INTERVAL = 1000;
/** Orders under way in one site, of all fronts, and of one front. */
export const FLEET_ORDERS = 4096;
export const FLEET_ORDERS_PER_FRONT = 2048;
/** Questions of one front what became of orders that a site answers from its journal at a time. Further ones are not answered, and asked again. */
export const FLEET_RESULTS_PER_FRONT = FLEET_ORDERS_PER_FRONT;
/** Orders that a site remembers: of one that is older than what it has forgotten, it says that it does not know. */
export const FLEET_ORDERS_REMEMBERED = 100_000;
/** What a front sends to a site, which keeps it until it is answered. */
export const FLEET_ORDER_SIZE = 16 * 1024;
/** The answers to orders that it has at hand; and those who are told of one order under way. */
export const FLEET_ANSWERS_AT_HAND = 8192;
export const FLEET_ORDER_ASKERS = 4;
/** Orders under way up to which a site says what each does just now. */
export const FLEET_ORDERS_TOLD = 256;
/** Questions under way in one site, of all fronts, and of one front. */
export const FLEET_ASKS = 4096;
export const FLEET_ASKS_PER_FRONT = 2048;
/** Between two looks at a machine of which it is not known what became of an order, where its provider does not answer yet. */
export const FLEET_OBSERVE_PAUSE = 250;
/** Characters of an account's name at a front, of a reason in an answer, and of why a provider is out of date in a sign of life. */
export const FLEET_PERSON_NAME = 128;
export const FLEET_DETAIL = 1024;
export const FLEET_STALE_WORDS = 256;
/** How long a site listens whether another server has its name before it acts: at its start, at least as long as clocks may be apart; and when the connection is there again. */
export const FLEET_HUSH = FLEET_CLOCK_SKEW;
export const FLEET_HUSH_AGAIN = 500;
/** Servers of its name of which a site knows. */
export const FLEET_RIVALS = 16;

/** Of the connection to the bus: until it is made, between two attempts, between two pings, and pings that may stay unanswered. */
export const BUS_CONNECT_TIMEOUT = 10_000;
export const BUS_RECONNECT_PAUSE = 1000;
export const BUS_PING_INTERVAL = 5000;
export const BUS_PINGS_UNANSWERED = 2;
/** For a question to the bus's own store: a stream, a bucket. */
export const BUS_STORE_TIMEOUT = 5000;
/** How often it is looked whether a stream has still the layout that is known here. */
export const BUS_LAYOUT_LOOK = 60_000;
/** For the question whether there is such a stream at all, where it did not answer. */
export const BUS_STORE_DOUBT = 1000;
/** After a failure of that store, until it is tried again. */
export const BUS_STORE_PAUSE = 1000;
/** How long a server of the bus has before the next one is tried beside it. */
export const BUS_NEXT_SERVER = 250;
/** What a server of the bus says of itself when somebody connects, in bytes. */
export const BUS_GREETING = 64 * 1024;
/** Questions that wait for an answer at a time. */
export const BUS_CONVERSATIONS = 65_536;
/** Until a subscription is tried again that the bus has forbidden. */
export const BUS_FORBIDDEN_PAUSE = 10_000;
/** How often who watches a bucket hears that there is nothing new, and after how long without that it begins anew. */
export const BUS_HEARTBEAT = 1000;
export const BUS_HEARTBEAT_PATIENCE = 5000;
/** Until it has what it watches by: a cluster may put that at a server that has just died, and then nobody answers. */
export const BUS_WATCH_TIMEOUT = 2000;
/** How long the bus keeps what it needs for one who watches and is away. */
export const BUS_WATCHER_KEPT = 30_000;
/** Until what was written is out, when the connection is closed. */
export const BUS_CLOSE_TIMEOUT = 2000;

/** A lease: how long it holds, how often it is renewed, and how long before its end its holder stops to act. */
export const LEASE_TTL = 15_000;
export const LEASE_RENEW = 5000;
export const LEASE_MARGIN = 3000;
/** How often one that is not held is looked at. */
export const LEASE_LOOK = 1000;
/** For giving one up when the server ends. */
export const LEASE_RELEASE = 2000;

/** How long `argo-server fleet check` waits for the time of the bus, and for signs of life of sites. */
export const FLEET_CLOCK_TIMEOUT = 1000;
export const FLEET_HEARD_WAIT = FLEET_ALIVE_INTERVAL + 1000;

/** What the bus keeps, unless `argo-server fleet init` is told otherwise. */
export const FLEET_REPLICAS = 3;
/** As many copies as the bus can keep of it: an odd number, so that most of them are up where one is not. */
export const FLEET_COPIES: readonly number[] = [1, 3, 5];
export const FLEET_EVENTS_KEEP = 7 * 86_400_000;
export const FLEET_EVENTS_SIZE = 1024 ** 3;
export const FLEET_AUDIT_KEEP = 400 * 86_400_000;
export const FLEET_AUDIT_SIZE = 10 * 1024 ** 3;
export const FLEET_INVENTORY_SIZE = 1024 ** 3;
export const FLEET_LEASES_SIZE = 16 * 1024 ** 2;
/** A value of a lease; and what headers may come to beside the content of a message. */
export const FLEET_LEASE_VALUE = 4096;
export const FLEET_HEADERS = 1024;
/** What a server of the bus has to take as one message; and how often one that takes less is asked whether it takes more now: it tells that to nobody who is connected. */
export const BUS_PAYLOAD = FLEET_CHUNK_SIZE + FLEET_HEADERS;
export const BUS_PAYLOAD_LOOK = 10_000;
/** Events that a server keeps of each kind while the bus takes none: what the configuration may say. What it says where it does not, is OUTBOX_KEPT. */
export const FLEET_OUTBOX_LEAST = 1000;
export const FLEET_OUTBOX_MOST = 1_000_000;
/** In which the bus knows an event again by its id. */
export const FLEET_DUPLICATE_WINDOW = 120_000;
