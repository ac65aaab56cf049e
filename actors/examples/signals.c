/*
 * Shows signals as messages: SIGHUP has an actor read its settings again, SIGTERM has it end.
 *
 *     ./signals &
 *     kill -HUP $!; kill -TERM $!
 */
#include <troupe/signals.h>
#include <troupe/troupe.h>

#include <signal.h>
#include <stdio.h>

static void read_settings(int times)
{
    printf("settings read, %d times so far\n", times); /* Where a server would open its file. */
    (void)fflush(stdout);
}

static enum troupe_err server_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)(troupe_check(ctx, troupe_signals_subscribe(ctx, SIGHUP, true)) && troupe_check(ctx, troupe_signals_subscribe(ctx, SIGTERM, true)));
    read_settings(++*(int *)state);
    return TROUPE_OK;
}

static void server_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const struct troupe_signal *signal = TROUPE_BODY(message, struct troupe_signal);
    if (troupe_message_type(message) != TROUPE_MESSAGE_SIGNAL || signal == NULL) {
        return;
    }
    if (signal->number == SIGHUP) {
        read_settings(++*(int *)state);
    } else {
        puts("asked to end");
        troupe_stop(ctx);
    }
}

static const struct troupe_behaviour server = {
    .name = "server",
    .state_bytes = sizeof(int),
    .init = server_init,
    .receive = server_receive,
};

int main(int argc, char **argv)
{
    /* Before there are threads: a signal becomes a message only where no thread takes it. */
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&server));
}
