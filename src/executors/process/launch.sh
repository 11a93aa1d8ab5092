# Starts one attempt at most once, ever, and records how it ended. See docs/adr/0003-process-start.md.
#
#   sh launch.sh ATTEMPT_FOLDER BOOT UMASK ODD ENV_COMMAND COMMAND [ARGUMENT ...]
#
# Standard input is /dev/null, standard output and error are the log; the process leads a session of its own.
# ODD is the number of variables KONTROLER_ENV_1 … that hold NAME=value for names a shell would not pass on.
# Names used here start with kontroler_, since giving a value to an exported name would change the task's environment.
# The braces make the shell read all of it before it does any of it.
{
kontroler_dir=$1 kontroler_boot=$2 kontroler_umask=$3 kontroler_odd=$4 kontroler_env=$5
shift 5

# A signal to the whole group must not end the launcher before it has recorded the end. These are caught, not
# ignored, so the task begins with the ordinary meaning of each.
trap : TERM INT HUP QUIT USR1 USR2 ALRM
exec 2>/dev/null

# Who I am: the line of /proc (its first field is the pid, its 22nd the start time), or what ps says elsewhere.
if [ -r /proc/self/stat ]; then
  read -r kontroler_self </proc/self/stat
else
  kontroler_self="$$ ps $(ps -o lstart= -p $$)"
fi

# The claim. noclobber opens with O_EXCL: of any number of launchers one gets past this line, once and for all, and
# none does when the attempt was revoked. Whatever goes wrong here, nothing has been started.
umask 077
set -C
exec 2>"$kontroler_dir/record" || exit 75
printf 'claim %s %s\n' "$kontroler_boot" "$kontroler_self" >&2 || exit 75
umask "$kontroler_umask"

# The task. A stop writes its file first and signals then, so a signal that came before the fork is seen here.
# A shell says on standard error, which is the record, when a signal ended its child.
(
  [ -e "$kontroler_dir/stop" ] && exit 143
  if [ "$kontroler_odd" -gt 0 ]; then
    while [ "$kontroler_odd" -gt 0 ]; do
      eval "set -- \"\$KONTROLER_ENV_$kontroler_odd\" \"\$@\"; unset KONTROLER_ENV_$kontroler_odd"
      kontroler_odd=$((kontroler_odd - 1))
    done
    set -- "$kontroler_env" -- "$@"
  fi
  trap ': >"$kontroler_dir/refused"' EXIT
  exec "$@" 2>&1
)
kontroler_code=$?

printf 'ended %s .\n' "$kontroler_code" >&2 || exit "$kontroler_code"

# As in a container, nothing of the group outlives the main process; the launcher goes with it.
kill -KILL 0
exit 1
}
