/** Every limit of the engine, by name. Errors name the limit and the size that broke it. */

/**
 * The engine's limits. Those that can be set are options; their defaults are here too.
 *
 * @category Limits
 */
export const LIMITS = {
  /** Longest task id, in characters. */
  taskIdLength: 255,
  /** Largest serialized input or output, in bytes of UTF-8, unless `maxPayloadBytes` says otherwise. */
  payloadBytes: 10_485_760,
  /** Longest error message kept in a row, in characters; longer ones are cut. */
  errorMessageLength: 16_384,
  /** Most children one run of a parent may return. */
  childrenPerParent: 100_000,
  /** Most inputs of one `enqueueTasks`. */
  tasksPerEnqueue: 100_000,
  /** Most errors of children kept with their parent. */
  childrenErrorsKept: 100,
  /** Deepest tree of executions; the root has depth 1. */
  depth: 1_000,
  /** Longest delay before a run or a retry: a hundred years. */
  delayMs: 3_153_600_000_000,
  /** Most records of one execution: steps, failed tries, sleeps, waits, signals. */
  recordsPerExecution: 10_000,
  /** A sleep or a wait that is over so soon is waited for by the run itself. */
  inPlaceMs: 1_000,
  /** How long a function that is run to find out how to undo may call nothing before it counts as hanging. */
  replayPauseMs: 1_000,
  /** The highest priority; the lowest is as far below 0. */
  priority: 1_000_000,
  /** Most tags of an execution. */
  tags: 20,
  /** Longest name, key or tag, in characters. */
  nameLength: 255,
  /** Most losses in a row before an execution is given up, unless `maxLosses` says otherwise. */
  losses: 3,
  /** After how many losses in a row an execution is run apart: of such ones a process runs one at a time. */
  lossesUntilApart: 2,
  /** The pause after the second loss in a row; doubled after each further one. */
  lossBackoffMs: 1_000,
  /** The longest pause between losses. */
  lossBackoffMaxMs: 60_000,
  /** The lease: how long a silent executor keeps its runs. */
  expireMs: 30_000,
  /** How long an idle executor waits between looks. */
  pollMs: 500,
  /** The same where executors tell each other what they change, unless the interval was given. */
  toldPollMs: 15_000,
  /** The same where the storage itself sees what others change, unless the interval was given. */
  seenPollMs: 45_000,
  /** How long a hint gathers others where nobody elsewhere is likely to wait for it. */
  hintGatherMs: 20,
  /** How soon after one message another may follow that somebody elsewhere may be waiting for. */
  hintEveryMs: 5,
  /** How long an executor looks often after it enqueued in a transaction of the user's, whose commit it cannot see. */
  joinedMs: 60_000,
  /** How long a waiter waits between looks of its own. */
  waitPollMs: 1_000,
  /** Ready rows looked at to learn when the next one is due. */
  nextDueRows: 16,
  /** Due rows looked at, at the least, by a claim where the storage has none of its own. */
  claimedFromRows: 20,
  /** Runs at a time in one executor. */
  concurrentRuns: 100,
  /** Ids in one call of a storage operation. */
  idsPerCall: 1_000,
  /** Rows in one call of an insert. */
  rowsPerInsert: 1_000,
  /** Events settled in one transaction. */
  settlesPerTransaction: 500,
  /** Rows renewed in one transaction where rows are locked one by one. */
  renewsPerTransaction: 50,
  /** Rows that one sweep recovers or closes in a transaction. */
  sweepRows: 200,
  /** Tries of a transaction that a user waits for. */
  userTries: 5,
  /** The time within which those tries are made. */
  userTriesMs: 2_000,
  /** The pause before the second of those tries; doubled before each further one. */
  userBackoffMs: 25,
  /** The longest pause of a background loop between tries. */
  backgroundBackoffMs: 5_000,
  /** How long one background transaction may take before it counts as failed. */
  storageCallMs: 30_000,
  /** How long a function of `ctx.transaction` may take where nobody else can write meanwhile: in SQLite. */
  sharedTransactionMs: 10_000,
  /** How long a function may go on after its timeout or cancellation before it is abandoned. */
  abandonMs: 1_000,
  /** How long an executor may take to stop beyond the `graceMs` of its `shutdown`. */
  shutdownMs: 1_800,
  /** How long it may take after that to stop listening to the storage's hints. */
  unlistenMs: 200,
  /** How long reading the storage's clock may take. */
  clockReadMs: 5_000,
  /** How often a process that runs something asks whether it was cancelled. */
  cancelCheckMs: 1_000,
} as const
