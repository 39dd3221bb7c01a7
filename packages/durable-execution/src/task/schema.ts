/** Inputs are checked by a function of the user's or by a schema of any library that follows Standard Schema. */

import { type StandardSchemaV1 } from '@standard-schema/spec'

import { DurableExecutionError, messageOf } from '../base/errors.ts'
import { type MaybePromise } from '../base/promise.ts'

/** Runs a task's check over an input; what fails becomes one kind of error. */
export async function checkInput(
  taskId: string,
  validate: ((input: unknown) => MaybePromise<unknown>) | undefined,
  input: unknown,
): Promise<unknown> {
  if (validate === undefined) {
    return input
  }
  try {
    return await validate(input)
  } catch (error) {
    throw new DurableExecutionError(`Invalid input to task ${taskId}: ${messageOf(error)}`, false, {
      cause: error,
    })
  }
}

/** The check that a schema makes: its output, or an error with a line for each issue. */
export function validatorOf<TSchema extends StandardSchemaV1>(
  schema: TSchema,
): (input: unknown) => Promise<StandardSchemaV1.InferOutput<TSchema>> {
  const standard: { validate?: unknown } | null | undefined = (
    schema as Partial<StandardSchemaV1> | null | undefined
  )?.['~standard']
  if (typeof standard?.validate !== 'function') {
    throw new DurableExecutionError(
      'Invalid input schema: it must follow Standard Schema (zod, valibot, arktype and others do)',
      false,
    )
  }
  return async (input) => {
    const result = await schema['~standard'].validate(input)
    if (result.issues !== undefined) {
      throw new DurableExecutionError(result.issues.map(describeIssue).join('\n'), false)
    }
    return result.value
  }
}

function describeIssue(issue: StandardSchemaV1.Issue): string {
  const line = `× ${issue.message}`
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part))
  return path.length === 0 ? line : `${line}\n  → at ${path.join('.')}`
}
