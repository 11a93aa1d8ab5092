/** Examples of the commands about a cluster, by their words: shown by `--help` and in the reference. */
export const CLUSTER_EXAMPLES: Readonly<
  Record<string, readonly (readonly [command: string, why: string])[]>
> = {
  submit: [
    ['submit nightly -p REGION=eu --watch', 'starts a run and shows it to its end'],
    ['submit nightly --from-secret TOKEN=tokens/api --wait', 'the value stays in the cluster'],
    ['submit -f run.yaml -o name', 'the DagRun of a file'],
  ],
  list: [
    ['list', 'the newest runs'],
    ['list -A --phase failed --since 2d', 'failures of two days in all namespaces'],
    ['list dags', 'DAGs with their schedules, next and last runs, and problems'],
  ],
  get: [
    ['get @last', 'the newest run as a tree'],
    ['get nightly-x7k2p load -o json', 'one task for a program'],
    ['get dag/nightly', 'a DAG'],
  ],
  watch: [['watch nightly-x7k2p', 'the tree of a run, to its end']],
  logs: [
    ['logs @last -f', 'all tasks, as they write'],
    ["logs nightly-x7k2p --task 'load[3]' --attempt 1", 'the first attempt of one item'],
    ['logs @last load -c proxy', "a sidecar's"],
  ],
  explain: [
    ['explain @last', 'why the run failed, or what it waits for'],
    ['explain dag/nightly', 'why a DAG is not in force'],
  ],
  plan: [['plan -f dags/', 'what kubectl apply -f dags/ would change']],
  cancel: [['cancel nightly-x7k2p', 'stops its tasks, runs what is under finally']],
  pause: [['pause nightly-x7k2p', 'lets what runs end, starts nothing new']],
  resume: [['resume nightly-x7k2p --watch', 'goes on, and shows it to its end']],
  retry: [['retry @last --watch', 'reuses what succeeded, runs the rest again']],
  fork: [['fork nightly-x7k2p --from transform', 'runs that task and what comes after it again']],
}
