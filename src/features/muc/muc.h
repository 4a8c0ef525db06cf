/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0045 1.35 rooms: what the files of this folder share. A room lives in the shard that owns its JID.
 * Private to features/muc. */
#ifndef FEATURES_MUC_MUC_H
#define FEATURES_MUC_MUC_H

#include "base/list.h"
#include "core/feature.h"
#include "features/muc/privilege.h"
#include "features/muc/config.h"

enum {
	MUC_ROOMS_MAX = 20000,	    /* rooms in memory, per shard */
	MUC_OCCUPANTS_MAX = 20000,  /* nicks of one room, whatever its configuration says */
	MUC_OVER_MAX = 50,	    /* admins and owners who may enter a full room (§7.2.9) */
	MUC_SEATS_PER_NICK_MAX = 32,
	MUC_NICK_MAX = 256,	    /* bytes */
	MUC_AFFILS_MAX = 20000,
	MUC_VCARD_MAX = 128 << 10,  /* bytes of a room's vCard */
	MUC_HOURS = 24,		    /* of activity counted */
	MUC_GONE_MAX = 500,	    /* lost affiliations remembered for XEP-0463 */
	MUC_ROWS_MAX = 50000,	    /* of a room's storage, read at loading: more than all its limits together */
	MUC_SUBJECT_MAX = 4096,
	MUC_REASON_MAX = 1024,
	MUC_ITEMS_MAX = 500,	    /* of one admin request */
	MUC_APPLICANTS_MAX = 100,   /* who wait for the admins' approval */
	MUC_ADMINS_ASKED_MAX = 20,  /* when none is inside */
	MUC_VOICES_MAX = 2000,	    /* people whose voice is remembered */
	MUC_SUBJECT_AGAIN_MS = 5000, /* between two subjects of somebody who is no moderator */
	MUC_VOICE_AGAIN_MS = 10000, /* between two requests for voice */
	MUC_INVITED_MAX = 16,	    /* invitations whose failure is told */
	MUC_INVITES_MAX = 20,	    /* of one message */
	MUC_WAITING_MAX = 1000,	    /* stanzas that wait while a room loads */
	MUC_IQS_MAX = 128,	    /* requests between occupants that wait for their answer, per room */
	MUC_SEEN = 1024,	    /* messages that a retry is compared with */
	MUC_SEEN_PAGES = 4,	    /* of the archive, read for them when the room is loaded */
	MUC_IDLE_MS = 60000,	    /* an empty persistent room leaves memory after this */
	MUC_LOCK_MS = 300000,	    /* then a new room gets its default configuration */
	MUC_DISCO_ITEMS_MAX = 1000, /* occupants of one answer */
	MUC_LIST_MAX = 100,	    /* rooms of one page of the service's items */
};

struct muc; /* per shard */
struct room;

/* One nick in a room: §4.1 "occupant". Several sessions of the same user may share it (§7.2.8). */
struct occupant {
	struct room *room;
	struct jid jid;	   /* ROOM/NICK, own bytes */
	struct jid real;   /* bare, own bytes */
	char *look;	   /* of the nick (proto/xmpp/look.h) */
	enum role role;
	enum affil affil;
	struct list seats; /* struct seat, longest first */
	uint16_t seats_n;
	struct seat *shown; /* whose presence the others see */
	bool told;	    /* the others heard of it: they hear of its end too */
	struct list front;  /* in room->front while newcomers are shown it */
	struct blob *tail[2]; /* its available presence, without and with the real JID; NULL: to be made */
	uint64_t asked_ms, titled_ms; /* monotonic: when it asked for voice, changed the subject */
	char id[48];	    /* XEP-0421 */
};

/* A session in a room. */
struct seat {
	struct list in_occupant;
	struct occupant *o;
	struct fanout_to real; /* full JID, own bytes */
	struct blob *inner;    /* children of its last presence, without the end tag */
	uint32_t at;	       /* place in room->seats */
};

/* An affiliation. */
struct affil_entry {
	enum affil affil;
	uint64_t ver; /* of its last change (versions.c) */
	char *nick; /* reserved; NULL: none */
	char *look; /* of the nick (proto/xmpp/look.h); NULL with it */
	char *reason;
	char *id;   /* XEP-0421; NULL: to be made */
	struct str jid; /* bare JID or domain, own bytes behind */
	char bytes[];
};

struct hist {
	struct blob *packed; /* as archived */
	struct blob *tail;   /* with the delay; NULL: to be made */
	uint64_t id;	     /* archive id, also of what is not archived */
};

struct seen {
	uint64_t key, id; /* hash of who said it and its id; archive id or 0 */
};

/* A request between occupants under way. */
struct iq_wait {
	struct jid asker, answerer, asked; /* full JID; as it was sent to; occupant JID */
	struct str id;
	char bytes[];
};

enum room_state { ROOM_LOADING, ROOM_ABSENT, ROOM_LOCKED, ROOM_OPEN };

struct room {
	struct muc *muc;
	struct core *core;
	struct jid jid; /* bare, own bytes */
	enum room_state state;
	bool busy;	/* a stanza is being handled: others wait */
	bool saved;	/* the store holds it: a persistent room */
	struct room_config cfg;
	uint64_t created_ms;
	uint64_t open_from;  /* archive id since which it is non-anonymous; 0: ever */
	struct map affils;   /* bare JID → struct affil_entry */
	struct map reserved; /* look of a nick → struct affil_entry */
	struct map gone;     /* versions.c */
	struct told *told_first, *told_last; /* versions.c: of this turn */
	uint64_t told_since, told_until;
	uint64_t affil_ver, affil_floor; /* the version, and the oldest from which changes are known */
	struct map hats, hatted; /* hats.c */
	struct map applicants;	 /* register.c */
	struct map voices;	 /* voice.c */
	struct departed *departed; /* departed.c: accounts to be forgotten when the room is loaded */
	struct invited *invited[MUC_INVITED_MAX]; /* ring, invite.c */
	uint32_t invited_at;
	struct map spoken;   /* talk.c: bare JID → when it spoke */
	uint32_t said[MUC_HOURS]; /* messages by hour since 1970, modulo */
	uint64_t said_hour;	  /* the newest of them */
	char *grave;	     /* destroy.c: of a room that is no more; NULL: none */
	char *avatar;	     /* hashes, one per line; NULL: none */
	struct blob *vcard;  /* of a room that is not saved; else the store has it */
	struct map nicks;    /* nick → struct occupant */
	struct map looks;    /* look of a nick → struct occupant */
	struct list front;   /* occupants whose presence newcomers are shown; who spoke last is last */
	uint32_t front_n;
	struct map reals;    /* full JID → struct seat */
	struct seat **seats;
	uint32_t seats_n, seats_cap;
	struct blob *subject; /* packed message; NULL: never set */
	uint64_t subject_ms;
	struct hist hist[MUC_HISTORY_MAX]; /* ring */
	uint32_t hist_at, hist_n;
	bool keeps_own;	    /* the operator set its retention (core/retention.h) when it was loaded: */
	uint64_t keep_days; /* 0: for ever */
	struct seen *seen; /* MUC_SEEN; NULL: nothing yet */
	uint32_t seen_at, seen_old; /* next place from the front; places used from the back, by older rows at loading */
	uint32_t pages;		    /* read while loading */
	struct iq_wait **iqs; /* ring of MUC_IQS_MAX; NULL: none yet */
	uint32_t iqs_at;
	struct parcel *first_waiting, *last_waiting;
	uint32_t waiting_n;
	struct list idle; /* in muc->idle while nobody is inside */
	uint64_t idle_since_ms;
	struct timer lock;
};

struct muc {
	struct core *core;
	struct map rooms; /* bare JID → struct room */
	struct list idle; /* oldest first */
	struct timer tick;
	int readers; /* directory.c: requests that read the list of rooms */
};

/* ---- room.c: the room's life; room_store.c: what it keeps ---- */

void muc_stanza(struct muc *m, struct transit *t); /* to a room: takes over t */
void rooms_free(struct muc *m);
/* Runs fn as a stanza's handler runs: what it sends may come back at once, and waits. For callbacks of store and timers; the room may be
 * gone afterwards. */
typedef void room_fn(struct room *r, void *arg);
void room_do(struct room *r, room_fn *fn, void *arg);
void room_create(struct room *r, struct jid owner);
void room_unlock(struct room *r);
/* Removes everything of the room from memory and store; occupants must be gone. */
void room_forget(struct room *r);
struct store_batch *room_batch(struct store_batch **b);
/* Writes all of a room, or takes it out of the store, as its configuration says. */
void room_save(struct room *r, struct store_batch **b);
void room_save_affil(struct room *r, struct store_batch **b, struct str jid);
void room_save_subject(struct room *r, struct store_batch **b);
/* Commits what was collected; then the result of iq goes out. b NULL: at once. */
void room_commit(struct room *r, struct store_batch *b, struct iq *iq);
/* The same with a result that has a child. */
void room_commit_with(struct room *r, struct store_batch *b, struct iq *iq, struct xml *child);
struct affil_entry *room_affil(const struct room *r, struct str bare); /* NULL: none */
enum affil room_affil_of(const struct room *r, struct jid j); /* also by domain */
/* Sets or removes an affiliation. nick p NULL: as before; empty: no reserved nick. Returns 0; -ENOSPC. */
int room_set_affil(struct room *r, struct str bare, enum affil to, struct str nick, struct str reason);
void room_affils_free(struct room *r);
void room_load_item(struct room *r, const struct store_item *item); /* a row, while the room loads */
struct str room_title(const struct room *r); /* name or node */

/* ---- occupant.c: who is inside and what they see ---- */

/* What a presence says beside the state of its occupant. */
struct notice {
	enum stanza_type type;
	uint16_t codes[4]; /* for everybody; ends with 0 */
	uint16_t own[6];   /* beside 110, for the occupant only; ends with 0 */
	struct str id;	   /* of the occupant's own copy */
	struct str nick;   /* the new one, with 303 */
	struct str actor;  /* nick of who did it */
	struct str reason;
	struct blob *inner; /* other children; NULL: none */
	struct str extra;  /* bytes inside <x/> */
	bool no_affil;	   /* affiliation is said to be none */
};

struct occupant *occupant_find(const struct room *r, struct str nick);
/* Is the nick, or one that looks like it, somebody else's: in use or reserved (§7.2.8, §7.6)? */
bool nick_is_taken(const struct room *r, struct str nick, struct str bare);
/* Who is shown to the others (docs/decisions/0009): call when role or room's settings change, before occupant_tell. */
void occupant_place(struct occupant *o);
void occupants_regroup(struct room *r); /* a crowd that is none any more: all are shown to newcomers again */
uint32_t occupants_crowd(const struct room *r); /* more than so many are a crowd */
/* Somebody speaks: whoever hears it gets its presence. */
void occupant_speaks(struct occupant *o);
struct seat *seat_find(const struct room *r, struct jid real);
/* A new session under a nick that is free or its user's own. */
struct seat *seat_add(struct room *r, struct str nick, struct jid real);
/* Takes a session out of the room, telling all; the occupant goes with its last one. */
void seat_remove(struct seat *s, const struct notice *n);
/* Takes an occupant out with all its sessions. */
void occupant_remove(struct occupant *o, const struct notice *n);
void occupant_rename(struct occupant *o, struct str nick);
/* Sends the occupant's presence to all inside who heard of it, else to itself. skip: not to this session; may be NULL. */
void occupant_tell(struct occupant *o, const struct notice *n, const struct seat *skip);
/* Sends presence of o to one session. */
void occupant_show(struct occupant *o, const struct notice *n, struct seat *to);
void occupant_touched(struct occupant *o); /* what others see changed: cached bytes are dropped */
void seat_inner(struct seat *s, struct stanza *presence);
/* Children of a client's stanza that may pass the room, without the end tag. New reference. */
struct blob *inner_of(const struct room *r, struct stanza *st);
/* To everybody inside; shares the payload. */
void room_broadcast(struct room *r, struct stanza *st);
void room_send(struct room *r, struct seat *to, struct stanza *st);
void occupants_free(struct room *r);
/* XEP-0421: out has at least 48 bytes. */
void occupant_id(const struct room *r, struct jid bare, char *out);

/* ---- join.c ---- */
void room_presence(struct room *r, struct transit *t);

/* ---- message.c ---- */
void room_message(struct room *r, struct transit *t);
void room_status(struct room *r, const uint16_t *codes); /* a message of status codes to all (§10.2.1) */
void room_refuse(struct transit *t, enum stanza_error e, const char *text);

/* Changes a nick, telling all; st is the presence that asked for it or NULL. by_room: §7.6, status 210. */
void room_nick(struct occupant *o, struct str nick, struct stanza *st, bool by_room);

/* ---- voice.c: §5.1, §7.13, §8.6 ---- */
void room_voice(struct room *r, struct transit *t, const struct xml *form);
enum role voice_role(const struct room *r, struct str bare, enum affil affil); /* that somebody enters with */
void voice_changed(struct occupant *o); /* a moderator set its role */
void voice_load(struct room *r, struct str bare, enum role role);
void voices_save(struct room *r, struct store_batch *b);
void voice_forget(struct room *r, struct str bare, struct store_batch **b);
void voice_free(struct room *r);

/* ---- register.c: those who wait (§9.9) ---- */
void room_approve(struct room *r, struct transit *t, const struct xml *form);
void applicant_load(struct room *r, struct str bare, struct str nick);
void applicants_save(struct room *r, struct store_batch *b);
void applicants_free(struct room *r);

/* ---- invite.c: §7.8 ---- */
void room_invite_failed(struct room *r, const struct stanza *error);
void invited_free(struct room *r);
void room_other_message(struct room *r, struct transit *t);
void room_invite(struct room *r, struct str from, struct jid to, const struct xml *invite, struct transit *t);
/* Sends st in place of the message of t: takes along its receipt and sender's archive row. */
void transit_replace(struct transit *t, struct stanza *st);

/* ---- iq.c, admin.c, owner.c, register.c, disco.c ---- */
void room_iq(struct room *r, struct transit *t);
void room_iq_free(struct room *r);
void room_admin(struct room *r, struct iq *iq);
/* Changes a present occupant's role and tells all. */
void room_role(struct occupant *o, enum role to, struct str actor, struct str reason);
/* A change of somebody's affiliation, allowed already. Strings are borrowed. */
struct affil_deed {
	struct str bare; /* JID or domain */
	enum affil to;
	struct str nick; /* as for room_set_affil */
	struct str actor, reason; /* told to those inside */
	struct str by;	 /* bare JID of who did it to somebody else, who is told, or invited into a members-only room; empty: is not */
};
/* Does it: list, store, version, presence. Returns 0; -ENOSPC. */
int room_affil_do(struct room *r, const struct affil_deed *d, struct store_batch **b);
/* May somebody read a list of affiliations? s: the session inside or NULL. */
bool room_may_list(const struct room *r, struct jid who, const struct seat *s, enum affil list);
/* Everybody inside, in the turn's arena: removing is allowed while walking. */
size_t room_everybody(const struct room *r, struct occupant ***out);

/* ---- destroy.c: §10.9 ---- */
void room_destroy(struct room *r, struct iq *iq, const struct xml *given); /* given: <destroy/> or NULL */
void grave_load(struct room *r, struct str value);
bool grave_refuses(struct room *r, struct stanza *st); /* the name is not free: who asked was told where to go */

/* ---- departed.c: accounts of this server that are no more ---- */
struct departed {
	struct departed *next;
	struct str bare;
	char bytes[];
};
void muc_account_gone(struct core *c, struct str bare);
void room_departed(struct room *r); /* forgets those who wait in r->departed */
void departed_free(struct room *r);
void muc_departed(struct muc *m, struct jid room, struct departed *d); /* room.c: takes d */

/* ---- versions.c: XEP-0463 ---- */
void versions_load(struct room *r, struct str bare, enum affil affil, uint64_t ver); /* of a row; AFFIL_NONE: a lost one */
void versions_loaded(struct room *r); /* all rows are there, or the room is new */
void versions_save(struct room *r, struct store_batch *b);
void versions_free(struct room *r);
uint64_t versions_gone(const struct room *r, struct str bare); /* the version that took its affiliation; 0: not known */
struct str versions_until(struct room *r); /* <mav/> of self-presence */
/* What a newcomer asked for with <mav/> in its <x/>, before any presence. */
void versions_send(struct room *r, struct seat *to, const struct xml *join);
/* The affiliation of bare changed: a new version. Returns <mav/> from the old to the new one. */
struct str versions_change(struct room *r, struct str bare, struct store_batch **b);
/* Somebody who is not shown inside has another affiliation now: those who may know are told by versions_flush. since: the version before. */
void versions_tell(struct room *r, struct str bare, enum affil was, enum affil now, uint64_t since);
/* In the same turn: before any presence with <mav/>, and when the request is done. One message, however many changes. */
void versions_flush(struct room *r);
void room_owner(struct room *r, struct iq *iq);
void room_register(struct room *r, struct iq *iq);
void room_disco_info(struct room *r, struct iq *iq);
void room_disco_items(struct room *r, struct iq *iq);
void muc_service_iq(struct muc *m, struct iq *iq);

/* ---- archive.c ---- */
/* Stores a message if it is to be kept; takes over the receipt. content: what retries are compared by. */
void room_archive(struct room *r, struct transit *t, struct stanza *st, uint64_t id, uint64_t key);
bool room_keeps(const struct room *r, const struct stanza *st); /* is it for the archive? */
/* Has this message been here? Returns true and its archive id. */
bool room_has_seen(const struct room *r, uint64_t key, uint64_t *out_id);
uint64_t seen_key(struct jid real, const struct stanza *st, struct str content);
void room_remember(struct room *r, uint64_t key, uint64_t id);
void room_history_add(struct room *r, struct blob *packed, uint64_t id);
void room_history_replace(struct room *r, uint64_t id, struct blob *packed); /* if it is there */
/* A row older than those of room_history_load, for retries only. Newest first. */
void room_seen_load(struct room *r, const struct archive_found *row);
/* A row of the archive while the room loads, oldest first. */
void room_history_load(struct room *r, const struct archive_found *row);
void room_history_send(struct room *r, struct seat *to, const struct xml *limits);
/* The payload of a message as unpacked, with the time when it was said (§7.2.13). New reference. */
struct blob *tail_delayed(const struct room *r, const struct stanza *st, uint64_t ms);
void room_history_free(struct room *r);
void room_mam(struct room *r, struct iq *iq);

/* ---- talk.c: XEP-0500, XEP-0502 ---- */
bool talk_may(struct room *r, struct transit *t, const struct occupant *o); /* false after refusing */
void talk_count(struct room *r, const struct stanza *st, struct str tail, uint64_t ms); /* it was said */
struct str talk_activity(struct room *r); /* messages per hour, p NULL: not to be told */
void talk_free(struct room *r);

/* ---- avatar.c: XEP-0486 ---- */
void room_vcard(struct room *r, struct iq *iq);
void avatar_load(struct room *r, struct str value);
void avatar_saved(struct room *r, struct store_batch *b, bool was); /* in room_save */
void avatar_show(struct room *r, struct seat *to);
void avatar_info(struct room *r, struct xml *form);
void avatar_free(struct room *r);

/* ---- mention.c: XEP-0513, XEP-0452 ---- */
void room_mentions(struct room *r, struct iq *iq);
void mention_filter(struct room *r, struct stanza *st, const struct occupant *o);
void mention_info(struct room *r, struct xml *form);
/* Sends said, the message as reflected, to members whom st mentions and who are not inside. */
void mention_forward(struct room *r, struct stanza *st, struct stanza *said, uint64_t id);

/* ---- hats.c, hat_commands.c: XEP-0317 ---- */
void room_command(struct room *r, struct iq *iq);
void room_command_items(struct room *r, struct iq *iq, struct xml *query);
bool room_command_info(struct room *r, struct iq *iq, struct str node, struct xml *query);
void hats_load(struct room *r, const struct store_item *item);
void hats_save(struct room *r, struct store_batch *b);
void hats_write(const struct room *r, struct str bare, struct buf *out); /* into a presence */
void hats_info(const struct room *r, struct xml *form);
void hats_forget(struct room *r, struct str bare, struct store_batch **b);
void hats_free(struct room *r);

/* ---- moderate.c: XEP-0424, XEP-0425 ---- */
void room_moderate(struct room *r, struct iq *iq);
/* A message of an occupant was said: if it takes back one of his own, that becomes a tombstone. */
void room_retracted(struct room *r, struct stanza *st);

#endif
