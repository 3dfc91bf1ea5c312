/**
 * Closes a class whose objects are handed to plugins. Objects of many accounts share its methods: nobody
 * may put something else in their place, nor find the class by way of an object.
 */
export function closeClass(made: { readonly prototype: object }): void {
  Reflect.deleteProperty(made.prototype, 'constructor');
  Object.freeze(made.prototype);
  Object.freeze(made);
}
