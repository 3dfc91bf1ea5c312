/** Limits of `argo-mqtt`, which brings machines to an MQTT broker. Times in milliseconds, sizes in bytes. */

/** Machines that are brought there; further ones are left out, and that is said. */
export const MQTT_MACHINES = 10_000;

/** Messages that are sent and not acknowledged yet. What waits beyond that is the latest of each topic. */
export const MQTT_IN_FLIGHT = 64;

/** A packet of the broker's: ours are small, and so is all that is meant for us. */
export const MQTT_PACKET = 64 * 1024;

/** Topics that a broker is asked for at a time. */
export const MQTT_TOPICS = 64;

/** A command's payload; a longer one is none. */
export const MQTT_PAYLOAD = 64;

/** A reason as it is told on a topic, characters. */
export const MQTT_REASON = 500;

/** The times until the broker is tried again, and after which a connection counts as one that has stood. */
export const MQTT_RETRY_FIRST = 500;
export const MQTT_RETRY_LONGEST = 30_000;

/** The longest wait for the broker's answer to a login, a subscription, and at the end for what is still to be sent. */
export const MQTT_ANSWER = 20_000;
export const MQTT_FLUSH = 3000;

/** The longest wait of `--check` for what it has written itself, and of an order for whether the broker keeps it. */
export const MQTT_ECHO = 5000;

/** Orders that are carried out at a time, each on a connection of its own, and those that wait for one, a machine each. */
export const MQTT_ORDERS = 8;
export const MQTT_WAITING = 256;

/** An order that could not be sent for so long is none any more: whoever gave it has seen that nothing happens. */
export const MQTT_ORDER_STALE = 60_000;

/** How often the program looks whether it was held up, and the time after which it was: an order that came meanwhile may be as old. */
export const MQTT_STALL_LOOK = 1000;
export const MQTT_STALL = 5000;

/** How long another bridge is given to say that it has the topics that are claimed, where one was there before: one that is held up for longer lets go. */
export const MQTT_OBJECTION = MQTT_STALL;

/** What the server may take beyond the time that an order gives it. */
export const MQTT_ORDER_GRACE = 30_000;

/** How often the server is asked for its list where no event says that it has changed, and the pause after it has. */
export const MQTT_LIST_EVERY = 30_000;
export const MQTT_LIST_SETTLES = 100;

/**
 * How long a machine may take to tell what could be done with it, or what it is, seconds; the silence until such an answer;
 * and the questions about machines of different providers that are asked at a time, each with all orders.
 */
export const MQTT_RIGHTS_SECONDS = 5;
export const MQTT_RIGHTS_SILENCE = 30_000;
export const MQTT_ASKING = 4;

/** Connections to the server that stay open when nothing is asked on them. */
export const MQTT_IDLE = 4;

/** Names in one request: it must fit into a line. */
export const MQTT_NAMES = 30;
