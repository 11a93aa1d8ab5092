/** Examples of every command, by its words: shown by `--help` and in the reference. */
export const EXAMPLES: Readonly<Record<string, readonly (readonly [command: string, why: string])[]>> = {
  run: [
    ['run examples/hello.yaml', 'runs the only DAG of a file'],
    ['run dags/ --dag nightly -p REGION=eu', 'one of several, with a parameter'],
    ['run job.yaml --secret database/password=hunter2-hunter2 -o lines', 'a secret, and plain lines'],
  ],
  resume: [['resume @last', 'goes on with what was paused or killed']],
  dev: [
    ['dev dags/', 'runs the schedules of a directory until Ctrl-C, with an API on 127.0.0.1'],
    ['dev dags/ --port 9000', 'the API on a port of your own'],
  ],
  validate: [
    ['validate dags/ -r', 'a directory and those below it'],
    ['validate --strict -o sarif dags/ > report.sarif', 'for a code host'],
  ],
  plan: [['plan examples/release.yaml', 'the tasks in order, and what changed since the last version']],
  list: [
    ['list', 'the newest runs'],
    ['list --phase failed --since 2d -l team=data', 'failures of two days with a label'],
    ['list dags', 'DAGs with their schedules and last runs'],
  ],
  get: [
    ['get @last', 'the newest run as a tree'],
    ['get nightly-x7k2p load -o json', 'one task for a program'],
  ],
  watch: [['watch nightly-x7k2p', 'the tree of a run that another terminal drives']],
  logs: [
    ['logs @last -f', 'all tasks, as they write'],
    ["logs nightly-x7k2p --task 'load[3]' --attempt 1", 'the first attempt of one item'],
    ['logs @last --failed --tail 50', 'the end of what failed'],
  ],
  explain: [
    ['explain @last', 'why the run failed, or what it waits for'],
    ['explain @last deploy', 'the same of one task'],
  ],
  'schedule preview': [['schedule preview dags/ --days 7', 'what will start in a week']],
  cancel: [['cancel nightly-x7k2p', 'stops its tasks, runs what is under finally']],
  pause: [['pause nightly-x7k2p', 'lets what runs end, starts nothing new']],
  approve: [
    ['approve @last go-live -p CHANGE=CHG-42', 'says yes, with a field of the form'],
    ['approve @last --reject -m "not today"', 'says no'],
  ],
  retry: [['retry @last', 'reuses what succeeded, runs the rest again']],
  fork: [['fork nightly-x7k2p --from transform', 'runs that task and what comes after it again']],
  export: [
    ['export @last > dag.yaml', 'the DAG as the newest run ran it'],
    ['export nightly --revision 3', 'an older version'],
  ],
  completion: [
    ['completion bash > ~/.local/share/bash-completion/completions/kontroler', 'for bash'],
    ['completion zsh > "${fpath[1]}/_kontroler"', 'for zsh'],
    ['completion fish > ~/.config/fish/completions/kontroler.fish', 'for fish'],
  ],
}
