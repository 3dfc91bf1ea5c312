# A guest in one boot sector that shows what is typed: keys go to the screen and to the first serial port,
# and what comes from there goes back to it and to the screen. Without an end.
.set SERIAL,        0x3f8
.set LINE_STATUS,   0x3fd
.set DATA_READY,    1

    .code16
    .globl _start
_start:
    xor     %ax, %ax
    mov     %ax, %ds
    mov     %ax, %ss
    mov     $_start, %sp
    cld
    mov     $3, %ax                 # text, 80 x 25, cleared
    int     $0x10
    mov     $ready, %si
say:
    lodsb
    test    %al, %al
    jz      look
    call    show
    jmp     say

look:
    mov     $1, %ah                 # a key?
    int     $0x16
    jz      serial
    xor     %ah, %ah
    int     $0x16
    call    show
serial:
    mov     $LINE_STATUS, %dx
    in      %dx, %al
    test    $DATA_READY, %al
    jz      rest
    mov     $SERIAL, %dx
    in      %dx, %al
    call    show
    jmp     look
rest:
    sti
    hlt                             # the BIOS timer wakes us about 18 times a second
    jmp     look

# The character in %al, to both.
show:
    mov     $SERIAL, %dx
    out     %al, %dx
    mov     $0x0e, %ah
    xor     %bx, %bx
    int     $0x10
    ret

ready:
    .asciz  "argo-guest: ready\r\n"

    .org 510
    .word 0xaa55
