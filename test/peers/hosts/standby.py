"""The mains and the standby power of namespace hosts (see hosts.ts).

Started in the network namespace that holds the hosts' switch. Arguments: the folder of the peers.
Its file `table` has a line a host: name, address with prefix, MAC, port of the switch. Orders come as lines through the FIFO `power`: `on NAME`, `off NAME`, `reboot NAME`, and the
faults `pull NAME` (power cut), `crash NAME` (nothing but the kernel's ping is left), `stop NAME` and
`continue NAME` (sshd hangs, and no longer), `mute NAME` and `unmute NAME` (pings are dropped, and no longer). What becomes of them is told on stdout; of an order with a
number behind it, also `did NUMBER` once it has been carried out.
"""
import os
import select
import signal
import socket
import subprocess
import sys
import uuid

ETH_P_ALL = 3
PACKET_OUTGOING = 4
FOLDER = sys.argv[1]


def tell(*words):
    print(*words, flush=True)


class Host:
    def __init__(self, name, address, mac, port):
        self.name, self.address, self.port = name, address, port
        self.magic = b'\xff' * 6 + bytes.fromhex(mac.replace(':', '')) * 16
        self.holder = None
        self.listens = True

    def on(self):
        if self.holder is not None:
            return
        with open(f'{FOLDER}/{self.name}/boot_id', 'w') as file:
            file.write(f'{uuid.uuid4()}\n')
        log = open(f'{FOLDER}/{self.name}/log', 'a')
        self.holder = subprocess.Popen(
            ['ip', 'netns', 'exec', self.name, 'unshare', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc',
             'sh', f'{FOLDER}/init.sh', FOLDER, self.name, self.address],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        tell('on', self.name)

    def first(self):
        """Its process 1, as it is seen from here; None before it has one."""
        try:
            with open(f'/proc/{self.holder.pid}/task/{self.holder.pid}/children') as file:
                children = file.read().split()
        except OSError:
            return None
        return int(children[0]) if children else None

    def kill(self):
        """Ends its processes. The holder ends when the kernel has ended them all."""
        if self.holder is None:
            return
        first = self.first()
        if first is None:
            self.holder.kill()
        else:
            os.kill(first, signal.SIGKILL)
        self.holder.wait()
        self.holder = None

    def network_off(self):
        subprocess.run(['ip', '-n', self.name, 'addr', 'flush', 'dev', 'eth0'], check=True)

    def off(self):
        self.kill()
        self.network_off()
        self.listens = True
        tell('off', self.name)

    def pull(self):
        self.network_off()
        self.off()

    def reboot(self):
        self.off()
        self.on()

    def crash(self):
        self.kill()
        self.listens = False
        tell('crash', self.name)

    def stop(self):
        os.kill(self.first(), signal.SIGSTOP)

    def resume(self):
        os.kill(self.first(), signal.SIGCONT)

    def drop_pings(self, value):
        subprocess.run(['ip', 'netns', 'exec', self.name, 'sysctl', '-qw', f'net.ipv4.icmp_echo_ignore_all={value}'], check=True)

    def mute(self):
        self.drop_pings(1)

    def unmute(self):
        self.drop_pings(0)


ORDERS = {'on': Host.on, 'off': Host.off, 'reboot': Host.reboot, 'pull': Host.pull, 'crash': Host.crash,
          'stop': Host.stop, 'continue': Host.resume, 'mute': Host.mute, 'unmute': Host.unmute}

with open(f'{FOLDER}/table') as table:
    hosts = {words[0]: Host(*words) for words in (line.split() for line in table)}
by_port = {host.port: host for host in hosts.values()}

# What leaves the switch through a host's port is what its card hears while the host is off.
ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
os.mkfifo(f'{FOLDER}/power')
os.chmod(f'{FOLDER}/power', 0o600)
orders = os.open(f'{FOLDER}/power', os.O_RDWR | os.O_NONBLOCK)
pending = b''
tell('ready')
while True:
    readable, _, _ = select.select([ear, orders], [], [])
    if ear in readable:
        frame, (interface, _, kind, *_) = ear.recvfrom(2048)
        host = by_port.get(interface)
        if host is not None and kind == PACKET_OUTGOING and host.holder is None and host.listens and host.magic in frame:
            tell('magic', host.name, frame[12:14].hex())
            host.on()
    if orders in readable:
        *lines, pending = (pending + os.read(orders, 4096)).split(b'\n')
        for line in lines:
            word, name, *number = line.decode().split()
            ORDERS[word](hosts[name])
            if number:
                tell('did', *number)
