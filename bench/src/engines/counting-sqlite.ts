/** Counts the statements that `node:sqlite` runs in this process, and the transactions they make. */

import { DatabaseSync, StatementSync } from 'node:sqlite'

import { type Asked } from './engine.ts'

type Method = (...args: Array<unknown>) => unknown

// Asks whether another process wrote; it takes no lock and is no transaction of ours.
const CHANGE_CHECK = 'pragma data_version'

/** Begins to count. A transaction is a BEGIN, or a statement outside of one. */
export function countSqliteStatements(): () => Required<Asked> {
  const asked = { transactions: 0, statements: 0, changeChecks: 0 }
  const databases = new WeakMap<object, DatabaseSync>()
  const count = (text: string, database: DatabaseSync | undefined): void => {
    if (text === CHANGE_CHECK) {
      asked.changeChecks += 1
      return
    }
    asked.statements += 1
    asked.transactions += database?.isTransaction === true ? 0 : 1
  }
  around(DatabaseSync.prototype, 'prepare', (database, _args, prepare) => {
    const statement = prepare()
    databases.set(statement as StatementSync, database)
    return statement
  })
  // Counted before it is made: COMMIT is still inside of what it ends.
  around(DatabaseSync.prototype, 'exec', (database, [text], exec) => {
    count(String(text), database)
    return exec()
  })
  for (const name of ['run', 'all'] as const) {
    around(StatementSync.prototype, name, (statement, _args, call) => {
      count(statement.sourceSQL, databases.get(statement))
      return call()
    })
  }
  return () => ({ ...asked })
}

/** Has each call of the method go through the function, which makes it. */
function around<T extends object>(
  prototype: T,
  name: keyof T & string,
  go: (self: T, args: Array<unknown>, call: () => unknown) => unknown,
): void {
  const method = prototype[name] as Method
  Object.assign(prototype, {
    [name](this: T, ...args: Array<unknown>): unknown {
      return go(this, args, () => Reflect.apply(method, this, args))
    },
  })
}
