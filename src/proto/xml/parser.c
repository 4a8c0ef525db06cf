/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Expat parsers, kept per thread between stanzas. */
#include "proto/xml/parser.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/mem.h"
#include "base/must.h"

enum {
	KEPT_MAX = 8, /* parsers of one thread */
	WORN_BYTES = 128 *
		1024, /* what one parser reads in its life, so that names it remembers stay bounded */
};

struct kept {
	struct xml_parser *list; /* last given first */
	unsigned n;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t kept_key;
static unsigned long salt; /* against chosen collisions in expat's tables; set once */
static _Thread_local struct kept *kept;

static void kept_free(void *p)
{
	struct kept *k = p;

	while (k->list) {
		struct xml_parser *next = k->list->next;

		xml_parser_free(k->list);
		k->list = next;
	}
	free(k);
	kept = NULL;
}

static void setup(void)
{
	must(pthread_key_create(&kept_key, kept_free) == 0);
	while (!salt)
		must(getrandom(&salt, sizeof(salt), 0) == sizeof(salt));
}

static struct kept *kept_of_thread(void)
{
	if (!kept) {
		must(pthread_once(&once, setup) == 0);
		kept = mem_zalloc(sizeof(*kept));
		must(pthread_setspecific(kept_key, kept) == 0);
	}
	return kept;
}

static struct xml_parser *parser_new(const char *head)
{
	struct xml_parser *p = mem_zalloc(sizeof(*p));
	size_t n = head ? strlen(head) : 0;

	p->expat = XML_ParserCreateNS("UTF-8", XML_NS_SEPARATOR);
	must(p->expat);
	XML_SetHashSalt(p->expat, salt);
	if (!head)
		return p;
	p->head = mem_strdup(head);
	p->fed = n;
	must(XML_Parse(p->expat, head, (int)n, XML_FALSE) == XML_STATUS_OK);
	return p;
}

struct xml_parser *xml_parser_take(const char *head)
{
	struct kept *k = kept_of_thread();

	for (struct xml_parser **link = &k->list; head && *link; link = &(*link)->next) {
		struct xml_parser *p = *link;

		if (strcmp(p->head, head) != 0)
			continue;
		*link = p->next;
		p->next = NULL;
		k->n--;
		return p;
	}
	return parser_new(head);
}

void xml_parser_give(struct xml_parser *p, const char *head)
{
	struct kept *k = kept_of_thread();

	if (xml_parser_is_worn(p)) {
		xml_parser_free(p);
		return;
	}
	if (!p->head)
		p->head = mem_strdup(head);
	p->next = k->list;
	k->list = p;
	if (++k->n <= KEPT_MAX)
		return;
	while (p->next->next)
		p = p->next;
	xml_parser_free(p->next);
	p->next = NULL;
	k->n--;
}

void xml_parser_free(struct xml_parser *p)
{
	if (!p)
		return;
	XML_ParserFree(p->expat);
	free(p->head);
	free(p);
}

bool xml_parser_is_worn(const struct xml_parser *p)
{
	return p->fed >= WORN_BYTES;
}
