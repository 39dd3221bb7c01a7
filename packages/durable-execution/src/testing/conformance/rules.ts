/** The rules of the storage contract, as the conformance cases name them. */

/** Names a rule of the storage contract. */
type StorageRule =
  | 'readBack'
  | 'insert'
  | 'insertIfMissing'
  | 'sharing'
  | 'get'
  | 'update'
  | 'unset'
  | 'updatedIds'
  | 'where'
  | 'emptyList'
  | 'order'
  | 'limit'
  | 'atomicity'
  | 'isolation'
  | 'locking'
  | 'values'
  | 'updateWithLimit'
  | 'claim'
  | 'updateBatch'
  | 'lock'
  | 'fields'
  | 'renew'
  | 'idRanges'
  | 'below'
  | 'share'
  | 'size'

export const STORAGE_RULES: Readonly<Record<StorageRule, string>> = {
  readBack: 'What is read back equals what was written',
  insert: 'An insert adds all of its rows, or none if one of their ids exists already',
  insertIfMissing:
    'insertTaskExecutionsIfMissing inserts the rows whose id does not exist, and answers their ids',
  sharing: 'A storage and its callers share nothing',
  get: 'The two ways to get find what matches the clause: each once, nothing else',
  update: 'An update changes the fields it gives in the rows that match, and nothing else',
  unset: 'Only the flags unsetError and unsetExpiresAt clear a field',
  updatedIds: 'An update answers the ids of the rows it changed',
  where: 'A clause matches what satisfies all of its parts',
  emptyList: 'An empty list of ids or statuses matches nothing',
  order:
    'by_start_at_less_than answers the earliest startAt first, by_statuses with expiresAtLessThan the earliest expiresAt; all else and ties in the order of insertion',
  limit: 'Limit 0 answers nothing; negative, NaN or none means no limit',
  atomicity: 'All writes of a transaction are kept if its function resolves, none if it rejects',
  isolation: 'Nothing of an open transaction is seen by others',
  locking: 'An update locks the rows it touches until its transaction ends',
  values: 'A value survives exactly as it was written, or is refused before it is written',
  updateWithLimit: 'updateTaskExecutionsWithLimit updates at most so many of what still matches',
  claim:
    'claimTaskExecutions takes due rows of the given tasks, each once: the highest priority first, of each the earliest',
  updateBatch: 'updateTaskExecutionsBatch does what the guarded updates would do one by one',
  lock: 'lockTaskExecutions locks rows, then reads them',
  fields: 'getTaskExecutionFields reads a few fields of many rows',
  renew: 'renewTaskExecutions moves the expiresAt of the leases that still hold, and answers those',
  idRanges: 'getTaskExecutionsInIdRanges reads the rows whose ids lie in one of the ranges',
  below: 'getTaskExecutionIdsBelow finds the children that are active or not closed',
  share: 'shareTransaction commits what the user’s code and the engine write in it together, or none of it',
  size: 'A call may carry 10,000 rows or ids',
}
