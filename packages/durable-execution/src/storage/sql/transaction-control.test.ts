/** Which texts of SQL begin or end a transaction. */

import { expect, test } from 'vitest'

import { transactionControlIn } from './transaction-control.ts'

test.each([
  'commit',
  '  COMMIT ;',
  'begin immediate',
  'start transaction isolation level serializable',
  'end',
  'abort',
  'rollback',
  'rollback work',
  'rollback transaction;',
  "prepare transaction 'x'",
  '-- a note\ncommit',
  '/* ; */ rollback',
  `insert into notes values ('a;b'); commit; insert into notes values ('c')`,
  'create table a (b int); commit',
  'select 1 as a$b$; commit; select 2 as a$b$',
  String.raw`select '\'; commit; select ''`,
])('%s does', (text) => {
  expect(transactionControlIn(text)).toMatch(/^(?:commit|begin|start|end|abort|rollback|prepare)/i)
})

test.each([
  '',
  'select 1',
  'savepoint a',
  'release a',
  'rollback to a',
  'rollback work to savepoint a',
  `insert into notes values ('x; commit; y')`,
  `insert into notes values ('it''s; rollback')`,
  String.raw`insert into notes values (E'it\'s; rollback; ')`,
  'insert into "a; commit" values (1)',
  'insert into notes values (1) -- ; commit',
  'update notes set ended = 1; /* commit; */ select 2',
  'select begin from ends',
  'do $$ begin perform 1; end $$',
  'do $body$ begin perform 1; end; $body$',
  'create trigger t after insert on notes begin select 1; end',
  'create function f() returns int language sql begin atomic select 1; end',
  "prepare find as select * from notes where id = $1 and name = 'x'",
])('%s does not', (text) => {
  expect(transactionControlIn(text)).toBeUndefined()
})
