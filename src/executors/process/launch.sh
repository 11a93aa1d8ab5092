# A launcher: starts attempts at most once, ever, and records how they ended. See docs/adr/0003-process-start.md.
#
#   sh launch.sh ATTEMPT_FOLDER BOOT UMASK ODD ENV_COMMAND COMMAND [ARGUMENT ...]
#       One attempt. Standard output and error are the log; standard input is /dev/null.
#   sh -s BOOT UMASK
#       Attempts one after the other (docs/adr/0008-spawn-path.md): commands come on standard input, the first reads
#       this file. Each later one is `if kontroler_begin …; then COMMAND; kontroler_ended …; fi`, which a shell does not
#       begin when it was cut off. An end is told as a line on standard output.
#
# The process leads a session of its own. ODD is the number of variables KONTROLER_ENV_1 … that hold NAME=value for
# names a shell would not pass on. Names used here start with kontroler_, since giving a value to an exported name
# would change the task's environment. The braces make the shell read all of it before it does any of it.
{
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
kontroler_claim() {
  umask 077
  set -C
  exec 2>"$kontroler_dir/record" || exit 75
  printf 'claim %s %s\n' "$kontroler_boot" "$kontroler_self" >&2 || exit 75
  umask "$kontroler_umask"
}

# As in a container, nothing of the group outlives the main process; the launcher goes with it.
kontroler_end_all() {
  kill -KILL 0
  exit 1
}

# Makes all ready for an attempt in a folder, with a working directory. False when it is to be stopped already.
kontroler_begin() {
  kontroler_dir=$1
  kontroler_claim
  cd -- "$2" || { : >"$kontroler_dir/refused"; kontroler_quit 126; }
  # A stop writes its file first and signals then; one that came before the task is seen here.
  [ ! -e "$kontroler_dir/stop" ]
}

# Records the end, a code and the command, and tells it with an empty line.
kontroler_ended() {
  [ "$1" -lt 126 ] || kontroler_why "$1" "$2"
  printf 'ended %s .\n' "$1" >&2 || kontroler_quit "$1"
  exec 2>/dev/null
  cd /
  echo
}

# A shell that starts a command without a fork of its own has the log as standard error while the command runs. So
# its word about a signal, or about a command it could not execute, is the log's last line. The former belongs into the
# record and is found by having the shell say it again.
kontroler_why() {
  kontroler_line=$(tail -n 1 "$kontroler_dir/log")
  if [ "$1" -le 127 ]; then
    case $kontroler_line in *": $2: "*) : >"$kontroler_dir/refused" ;; esac
    return
  fi
  # Signals that end nothing are left out, since they would stop the one who asks.
  case $1 in 145 | 146 | 147 | 148 | 149 | 150 | 151 | 156) return ;; esac
  kontroler_word=$( (ulimit -c 0; sh -c "kill -$(($1 - 128)) \$\$"; :) 2>&1)
  [ -n "$kontroler_word" ] || return
  case $kontroler_line in
  *"$kontroler_word (core dumped)") kontroler_word="$kontroler_word (core dumped)" ;;
  *"$kontroler_word") ;;
  *) return ;;
  esac
  echo "$kontroler_word" >&2
  truncate -s "-$((${#kontroler_word} + 1))" "$kontroler_dir/log"
}

kontroler_quit() {
  trap - EXIT
  exit "$1"
}

case $# in
2)
  kontroler_boot=$1 kontroler_umask=$2
  # Whoever gives the commands has gone, or wants this launcher to go.
  trap kontroler_end_all EXIT
  ;;
*)
  kontroler_dir=$1 kontroler_boot=$2 kontroler_umask=$3 kontroler_odd=$4 kontroler_env=$5
  shift 5
  kontroler_claim
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
  kontroler_end_all
  ;;
esac
}
