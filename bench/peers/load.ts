/** Imports a package of a peer, from where `bench/peers` has it installed. */

/**
 * The module of that name. The packages are not there for whoever checks the types, so the caller says what
 * it uses of the module.
 */
export async function loadPeer<T>(name: string): Promise<T> {
  return (await import(name)) as T
}
