/* stats=exit: the process's own table when it ends by exit() or by returning from main. */
#include "base/host.h"
#include "base/options.h"
#include "stats/table.h"

static void give_out(struct text *t) {
    plat_report(options_get()->report, t->buffer, t->length);
    text_init(t, t->buffer, t->capacity);
}

static void print_table(const struct rxpool_stats *stats, struct text *t) {
    const struct rxpool_stats_summary *summary = rxpool_stats_summary(stats);
    const struct rxpool_stats_row *row;

    text_string(t, "rxpool: pool table of process ");
    text_decimal(t, summary->pid);
    text_string(t, " at its exit\n");
    give_out(t);
    table_header(t, summary);
    for (uint32_t i = 0; (row = rxpool_stats_row(stats, i)) != NULL; i++) {
        give_out(t);
        table_row(t, stats, row, NULL);
    }
    table_total(t, stats);
    give_out(t);
}

/*
 * A destructor, so that it runs behind the program's own exit handlers, which still free. An end
 * without them (a signal, _exit) leaves no table. Nothing here allocates: the reader maps its
 * working memory. The name is for programs that link librxpool.a, where nothing else refers to
 * this file: they ask for it by -Wl,-u,rxpool_stats_at_exit.
 */
void rxpool_stats_at_exit(void);
__attribute__((destructor)) void rxpool_stats_at_exit(void) {
    char line[TABLE_LINE];
    struct text t;
    struct rxpool_stats *stats;
    struct rxpool_stats_error error;

    if (!options_get()->stats_exit)
        return;
    text_init(&t, line, sizeof(line));
    enum rxpool_stats_status status = rxpool_stats_open_self(&stats, &error);
    if (status == RXPOOL_STATS_OK)
        status = rxpool_stats_read(stats, &error);
    if (status == RXPOOL_STATS_OK) {
        print_table(stats, &t);
    } else {
        text_string(&t, "rxpool: no table at exit: ");
        text_string(&t, error.text);
        text_char(&t, '\n');
        give_out(&t);
    }
    rxpool_stats_close(stats);
}
