# A guest in one boot sector, for QEMU's i440fx machine ("pc"). It writes its ready line to the first
# serial port and then obeys the ACPI power button; assembled with DEAF=1 it ignores the button.
#
# The PIIX4 power management block stands at port 0x600, where SeaBIOS puts it (ACPI specification,
# 4.8.3 "PM1 Event Grouping" and 4.8.3.2 "PM1 Control Grouping"):
.set PM1_STATUS,    0x600
.set PM1_ENABLE,    0x602
.set PM1_CONTROL,   0x604
.set POWER_BUTTON,  1 << 8
.set SLEEP_ENABLE,  1 << 13     # with sleep type 0, which is S5 ("off") on PIIX4
.set SERIAL,        0x3f8

    .code16
    .globl _start
_start:
    cli
    ljmp    $0, $flat
flat:
    xor     %ax, %ax
    mov     %ax, %ds
    mov     %ax, %ss
    mov     $_start, %sp
    cld

    mov     $ready, %si
    mov     $SERIAL, %dx
    mov     $(ready_end - ready), %cx
    rep outsb

.if DEAF == 0
    mov     $PM1_ENABLE, %dx
    mov     $POWER_BUTTON, %ax
    outw    %ax, %dx
.endif
    sti

wait:
    hlt                         # the BIOS timer interrupt wakes us about 18 times a second
.if DEAF == 0
    mov     $PM1_STATUS, %dx
    inw     %dx, %ax
    test    $POWER_BUTTON, %ax
    jz      wait
    mov     $POWER_BUTTON, %ax
    outw    %ax, %dx            # writing a status bit clears it
    mov     $PM1_CONTROL, %dx
    mov     $SLEEP_ENABLE, %ax
    outw    %ax, %dx
.endif
    jmp     wait

ready:
    .ascii  "argo-guest: ready\r\n"
ready_end:

    .org    510
    .word   0xaa55
