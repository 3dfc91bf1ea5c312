/** Whether two types are one and the same, `readonly` and `any` included. */
type Same<One, Other> = (<T>() => T extends One ? 1 : 2) extends (<T>() => T extends Other ? 1 : 2) ? unknown : never;

/** Compiles where the type of what is given is the expected one, no wider and no narrower: `exactly<string>()(name)`. */
export const exactly = <Expected,>() => <Given,>(given: Given & Same<Given, Expected>): void => void given;
