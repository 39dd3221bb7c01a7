/** The public API of durable-execution, name by name. */

export {
  type CancelSignal,
  createCancellablePromise,
  createCancelSignal,
  createTimeoutCancelSignal,
} from './base/cancel.ts'
export {
  DurableExecutionCancelledError,
  DurableExecutionError,
  type DurableExecutionErrorStorageObject,
  type DurableExecutionErrorType,
  DurableExecutionTimedOutError,
} from './base/errors.ts'
export { createConsoleLogger, type Logger } from './base/logger.ts'
export { createDefaultSerializer, type Serializer, WrappedSerializer } from './base/serializer.ts'
export { type DurableTaskInputWithOptions } from './client/enqueue.ts'
export { type DurableTaskHandle } from './client/handle.ts'
export { type DurableTaskRunOptions } from './client/run-task.ts'
export {
  convertTaskExecutionStorageObjectToTaskExecution,
  type DurableChildTaskExecutionError,
  type DurableTaskCancelledExecution,
  type DurableTaskChildrenTasksFailedExecution,
  type DurableTaskCompletedExecution,
  type DurableTaskExecution,
  type DurableTaskFailedExecution,
  type DurableTaskFinalizeTaskFailedExecution,
  type DurableTaskFinishedExecution,
  type DurableTaskReadyExecution,
  type DurableTaskSuspension,
  type DurableTaskRunningExecution,
  type DurableTaskTimedOutExecution,
  type DurableTaskWaitingForChildrenTasksExecution,
  type DurableTaskWaitingForFinalizeTaskExecution,
} from './client/view.ts'
export { type DurableTaskBuilder } from './executor/builder.ts'
export { DurableExecutor } from './executor/executor.ts'
export { type DurableExecutorHealth } from './executor/health.ts'
export { type DurableExecutorOptions } from './executor/options.ts'
export {
  createDurableTaskExecutionStorageObject,
  type DurableChildTaskExecution,
  type DurableChildTaskExecutionErrorStorageObject,
  type DurableSuspensionStorageObject,
  type DurableTaskExecutionStatusStorageObject,
  type DurableTaskExecutionStorageObject,
  type DurableTaskExecutionStorageObjectUpdate,
  type DurableTaskRetryOptions,
} from './machine/execution.ts'
export { getDurableTaskExecutionStorageObjectParentError } from './machine/parent-error.ts'
export {
  type DurableStorage,
  type DurableStorageChangeHint,
  type DurableStorageClaim,
  type DurableStorageGuardedUpdate,
  type DurableStorageIdRange,
  type DurableStorageLeanTaskExecution,
  type DurableStorageRenew,
  type DurableStorageRenewed,
  type DurableStorageTaskExecutionFields,
  type DurableStorageTx,
  type DurableTaskExecutionStorageWhere,
} from './storage/contract.ts'
export { updateTaskExecutionsWithLimit } from './storage/contract-with-limit.ts'
export { createInMemoryStorage } from './storage/memory/in-memory-storage.ts'
export { createTransactionMutex, type TransactionMutex } from './storage/mutex.ts'
export { type DurableTaskRunContext } from './task/context.ts'
export {
  type DurableChildrenPolicy,
  type DurableChildTask,
  type DurableChildTaskExecutionEnd,
  type DurableChildTaskExecutionOutput,
  type DurableFinalizeTaskOptions,
  type DurableParentTaskDefaultOutput,
  type DurableParentTaskOptions,
  type DurableSettlingChildrenPolicy,
  type DurableSettlingParentTaskOptions,
  type DurableTask,
  type DurableTaskOnChildrenCompleteInput,
  type DurableTaskOptions,
} from './task/define.ts'
export {
  type DurableCode,
  type DurableRunTaskOptions,
  type DurableStepContext,
  type DurableStepOptions,
  type DurableWaitForSignalOptions,
} from './task/durable-context.ts'
export { type DurableTaskCommonOptions, type DurableTaskEnqueueOptions } from './task/options.ts'
export { type SequentialDurableTasks, type SequentialDurableTasksHelper } from './task/sequential.ts'
export { validateTaskId } from './task/task-id.ts'
