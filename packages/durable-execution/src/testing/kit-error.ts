/** The error of the kit itself: it was used wrongly, or what it waited for did not come. */

/**
 * The testing kit was used wrongly, or a task did not finish within the limit of moved time. The message says
 * what happened and what to do.
 *
 * @category Testing
 */
export class TestKitError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TestKitError'
  }
}
