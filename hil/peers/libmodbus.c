/* Polls boards with libmodbus, as hil/peers/README.md describes: PORT BAUD BOARDS FILE commands|quiet. */
#include <errno.h>
#include <fcntl.h>
#include <modbus.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define INPUTS 8
#define ALL_RELAYS 0x00FF

static modbus_t *port;
static int boards;
static pthread_mutex_t wire = PTHREAD_MUTEX_INITIALIZER;

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void *command(void *unused) {
    (void)unused;
    for (unsigned turn = 0;; turn++) {
        usleep(200000 + turn * 37717 % 100000);
        int64_t queued = now();
        pthread_mutex_lock(&wire);
        modbus_set_slave(port, 1 + (int)(turn % (unsigned)boards));
        modbus_write_bit(port, ALL_RELAYS, 0);
        pthread_mutex_unlock(&wire);
        printf("command %lld\n", (long long)queued);
    }
    return NULL;
}

int main(int count, char **words) {
    if (count != 6) return 64;
    /* Without its benchmark it would ask a dead terminal for ever, without a pause. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    boards = atoi(words[3]);
    port = modbus_new_rtu(words[1], atoi(words[2]), 'N', 8, 1);
    int file = open(words[4], O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (!port || file < 0 || modbus_connect(port) != 0) return 66;
    setlinebuf(stdout);
    pthread_t thread;
    if (!strcmp(words[5], "commands") && pthread_create(&thread, NULL, command, NULL)) return 71;
    uint8_t known[256] = {0};
    for (int board = 1;; board = board % boards + 1) {
        uint8_t inputs[INPUTS], bits = 0;
        pthread_mutex_lock(&wire);
        modbus_set_slave(port, board);
        int read = modbus_read_input_bits(port, 0, INPUTS, inputs);
        pthread_mutex_unlock(&wire);
        if (read != INPUTS) {
            continue;
        }
        for (int input = 0; input < INPUTS; input++) bits |= (uint8_t)(inputs[input] << input);
        if (known[board] != bits) {
            char line[32];
            int length = snprintf(line, sizeof line, "%d %02X\n", board, bits);
            if (write(file, line, (size_t)length) != length || fdatasync(file)) return 74;
            printf("kept %lld %d\n", (long long)now(), board);
            known[board] = bits;
        }
    }
}
