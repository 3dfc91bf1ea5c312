import bcrypt from 'bcrypt';

/** of both accounts */
export const PASSWORD = 'correct horse "battery"';

/** A daemon with simulated instances and two accounts, one of which may do little. */
export async function configuration(more = ''): Promise<string> {
  const hash = await bcrypt.hash(PASSWORD, 12);
  return `[server]
listen = ["127.0.0.1:0"]
${more}
[accounts.steve]
password = "${hash}"
[[accounts.steve.grants]]
instances = ["*"]
commands = ["*"]
[accounts.tenant]
password = "${hash}"
[[accounts.tenant.grants]]
instances = ["lj"]
commands = ["list", "status"]
[groups]
web = ["web[1-4]"]
[providers.demo]
type = "sim"
instances = ["lj", { name = "dev", state = "off" }, "my vm", "odd[1]", "web1", "web2", "web3", "web4", "bad1", "deaf1"]
faults = { bad1 = "error", deaf1 = "deaf" }
`;
}
