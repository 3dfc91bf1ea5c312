/**
 * What runs on a host while its network is changed. The scripts come by standard input of `sh -s` and never differ: what does
 * are their arguments. Each is a function that is called at its end, so that one of which only a part has arrived does nothing.
 *
 * A change has a folder below FOLDER, which only root can look into and which does not outlive a restart, as what `ip` changes
 * does not. Files in it say how it stands: `armed`, `begun`, and at last `kept` or `undone`. Whoever changes that holds `turn`
 * (flock(1)), so that a confirmation and the rollback never both come first. The rollback holds `lock` for as long as it lives:
 * two changes, of whichever servers, are never under way at once, and nothing is left locked by one that was killed.
 */

const FOLDER = '/run/argo-network';

/** Exit statuses, beyond those that a shell uses by itself. */
export const REFUSED = 65;
export const LACKING = 69;
export const NOT_BEGUN = 70;
export const NO_FOLDER = 73;
export const ANOTHER = 75;
export const TOO_LATE = 76;

/** Tenths of a second that arming may take, seconds that a turn is waited for, and for which what is kept may still be written down. */
const ARMING = 100;
const TURN = 3;
export const KEEPING_S = 30;

const script = (body: string): string => `main() {\nset -u\numask 077\n${body}\n}\nmain "$@"\n`;

const enter = `cd "${FOLDER}/$1" 2>/dev/null || exit ${TOO_LATE}
exec 9>>../turn
flock -w ${TURN} 9 || exit ${ANOTHER}`;

/** Undoes it in its folder, with the turn. */
const undo = `[ ! -e begun ] || ip -force -batch undo >>said 2>&1
mv undoing undone`;

/** The process that waits. It counts by the uptime, which nobody sets back; a second more, since that is told in whole ones. */
const ROLLBACK = `cd "$1" || exit
exec 8>>../lock 9>>../turn
flock -w ${TURN} 8 || { : >busy; exit; }
now() { read -r up idle </proc/uptime; up=\${up%%.*}; }
rest() { sleep 0.2 8>&- 9>&- || sleep 1 8>&- 9>&-; now; }
for old in ../*/; do
  if [ "$old" != "../\${PWD##*/}/" ] && { [ -e "$old/armed" ] || [ -e "$old/kept" ] || [ -e "$old/undoing" ] || [ -e "$old/undone" ]; }; then rm -rf "$old"; fi
done
now
end=$((up + $2 + 1))
: >armed || exit
while [ -e armed ] && [ "$up" -lt "$end" ]; do rest; done
flock -w 10 9
if mv armed undoing 2>/dev/null; then
${undo}
exit
fi
flock -u 9
end=$((up + ${KEEPING_S}))
while [ -e kept ] && [ "$up" -lt "$end" ]; do rest; done`;

/**
 * Arms the rollback, beyond the reach of this session's end. Arguments: the task, seconds, lines of the change, `--`, lines
 * that undo it. With systemd it is a unit: a child would end with the session, or with the service that argo-server is.
 */
export const ARM = script(`for program in ip flock setsid; do
  command -v "$program" >/dev/null || { echo "the host has no program $program" >&2; exit ${LACKING}; }
done
at="${FOLDER}/$1"
seconds=$2
unit="argo-network-$1"
shift 2
mkdir -p "${FOLDER}" && mkdir "$at" || exit ${NO_FOLDER}
trap 'rm -rf "$at"' EXIT
file=change
for line; do
  if [ "$line" = -- ]; then file=undo; else printf '%s\\n' "$line" >>"$at/$file" || exit ${NO_FOLDER}; fi
done
cat >"$at/rollback" <<'ROLLBACK' || exit ${NO_FOLDER}
${ROLLBACK}
ROLLBACK
if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
  systemd-run --quiet --collect --unit="$unit" sh "$at/rollback" "$at" "$seconds" </dev/null >&2 || exit ${NOT_BEGUN}
else
  setsid sh "$at/rollback" "$at" "$seconds" </dev/null >/dev/null 2>&1 &
fi
tenths=0
while [ ! -e "$at/armed" ]; do
  [ ! -e "$at/busy" ] || exit ${ANOTHER}
  tenths=$((tenths + 1))
  [ "$tenths" -le ${ARMING} ] || { echo 'the rollback does not begin' >&2; exit ${NOT_BEGUN}; }
  sleep 0.1
done
trap - EXIT`);

/** Makes the change, if the rollback still waits; one of which a part fails is undone at once. Argument: the task. */
export const CHANGE = script(`${enter}
[ -e armed ] || exit ${TOO_LATE}
: >begun || exit ${NO_FOLDER}
if ip -batch change >said 2>&1; then exit 0; fi
cat said >&2
mv armed undoing || exit ${TOO_LATE}
${undo}
exit ${REFUSED}`);

/** Ends the rollback before its time; says again that it is so where it was done already. Argument: the task. */
export const KEEP = script(`${enter}
[ -e kept ] || mv armed kept 2>/dev/null || exit ${TOO_LATE}`);

/** Undoes it now. Argument: the task. */
export const UNDO = script(`${enter}
mv armed undoing 2>/dev/null || exit ${TOO_LATE}
${undo}`);

/** Prints how it stands: one of armed, kept, undoing, undone; nothing where nothing is known of it. Argument: the task. */
export const STAND = script(`cd "${FOLDER}/$1" 2>/dev/null || exit 0
for stand in armed kept undoing undone; do [ ! -e "$stand" ] || echo "$stand"; done`);

/** Lets the host's network go, for the next change. Argument: the task. */
export const RELEASE = script(`rm -rf "${FOLDER}/$1"`);
