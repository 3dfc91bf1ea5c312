"""A domain's terminal as xenconsoled makes it, with a guest that says back what it hears, and more when it hears `flood`. Prints its name."""
import os
import pty
import tty

ours, theirs = pty.openpty()
tty.setraw(theirs)
print(os.ttyname(theirs), flush=True)
os.write(ours, b'login: ')
while True:
    heard = os.read(ours, 4096)
    if heard == b'flood':
        heard = b'x' * (4 * 1024 * 1024)
    while len(heard) > 65536:
        heard = heard[os.write(ours, heard[:65536]):]
    os.write(ours, heard)
