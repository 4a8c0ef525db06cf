# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two servers: RFC 6120 and 6121 between domains, XEP-0220, 0178, 0288, 0368, 0198."""
from lib import *
from s2s import *


def two_servers_talk_after_dialback_over_starttls(stage):
    world = World(stage)
    one, two = world.two({'s2s.bidi': 'false'})
    a, b = stage.online(server=one), stage.online(server=two)
    chat(a, b, 'there')
    chat(b, a, 'back')
    check('by=dialback tls=TLSv1.3' in one.log_text(), one.log_text())
