"""The paths, and what answers at once; the streams are `live` and `firehose`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import orjson
from redis.asyncio import Redis
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.deliver.answers import Answer, count_answer, gone, respond
from services.deliver.changes import Feeds, News
from services.deliver.core.caching import (
    EMBEDDED,
    FOR_EVER,
    LIVE,
    POLLED,
    UNKEPT,
    Keeping,
    headers_of,
    key_of,
)
from services.deliver.core.etags import of_bytes, strong
from services.deliver.core.negotiation import (
    FORMATS,
    FRAGMENT,
    HTML,
    JSON,
    LISTS,
    TEXT,
    Format,
    for_errors,
    split_ending,
)
from services.deliver.firehose import Firehose
from services.deliver.hub import Hub
from services.deliver.latest import Latest
from services.deliver.lending import Lending
from services.deliver.live import NOWHERE, ArticleStream
from services.deliver.memory import may_remember
from services.deliver.pages import Pages
from services.deliver.purging import Purging
from services.deliver.reading import Reading
from services.deliver.requests import (
    accept_of,
    checked_slug,
    form_of,
    format_of,
    number_of,
    since_of,
    slug_of,
    wait_of,
)
from services.deliver.sitemap import Sitemaps
from services.deliver.standing import Standings
from services.deliver.streams import Streams
from services.deliver.versions import Versions
from services.deliver.waiting import Waiting
from shared.article.article import Mark
from shared.article.formats.dressing import ASSETS, EMBED_SCRIPT
from shared.runtime.health import Check, check_engine, report

#: Also in pages that take nothing from elsewhere unless it says that they may.
_EVERYWHERE = {"cross-origin-resource-policy": "cross-origin"}
ROBOTS = """\
User-agent: *
Disallow: /live
Disallow: /articles/*/live
Disallow: /articles/*/changes
Disallow: /articles/*/versions
"""
#: What robots would be refused they need not ask for, and the sitemap least of all.
_NO_ROBOTS = "User-agent: *\nDisallow: /\n"


@dataclass(frozen=True, slots=True)
class Routes:
    """The endpoints."""

    redis: Redis
    reading: Reading
    hub: Hub
    latest: Latest
    sitemaps: Sitemaps
    pages: Pages
    versions: Versions
    lending: Lending
    feeds: Feeds
    waiting: Waiting
    live: ArticleStream
    firehose: Firehose
    streams: Streams
    telling: Sequence[Purging]
    standings: Standings
    public_url: str

    def listed(self) -> Sequence[Route]:
        """Return path and endpoint of each."""
        return [
            Route("/articles/{slug}/live", self.live, methods=["GET"]),
            Route("/live", self.firehose, methods=["GET"]),
            Route("/", self.latest_news),
            Route("/latest.{ending}", self.latest_news),
            Route("/sitemap-news.xml", self.sitemap),
            Route("/articles/{name}", self.article),
            Route("/articles/{slug}/pages/{number}", self.updates),
            Route("/articles/{slug}/updates/{update_id}", self.update),
            Route("/articles/{slug}/changes", self.changes),
            Route("/articles/{slug}/corrections", self.corrections),
            Route("/articles/{slug}/corrections.json", self.corrections),
            Route("/articles/{slug}/versions", self.versions.newest),
            Route("/articles/{slug}/versions.{ending}", self.versions.newest),
            Route("/articles/{slug}/versions/{name}", self.versions.named),
            Route("/articles/{slug}/{rest:path}", self.elsewhere),
            Route("/v1/links", self.lending.__call__, methods=["POST"]),
            Route("/static/{name}", self.asset),
            Route("/embed.js", self.embed),
            Route("/robots.txt", self.robots),
            Route("/healthz", self.healthy),
            Route("/readyz", self.ready),
        ]

    async def latest_news(self, request: Request) -> Response:
        """Latest News, in the format of its ending, or at ``/`` the one that Accept prefers."""
        ending = request.path_params.get("ending")
        how = format_of(ending, accept_of(request), LISTS[1:] if ending else LISTS)
        number = number_of(request.query_params.get("page", "1"))
        if number is None:
            raise HTTPException(400, "page must be a number from 1 on.")
        may_remember(request.scope, how.name, self.standings.of_everything())
        answer = await self.latest.page(number, how)
        return await respond(request, answer, varies=ending is None)

    async def sitemap(self, request: Request) -> Response:
        """What news search should look at: the articles of the last two days."""
        return await respond(request, await self.sitemaps.news(self.public_url))

    async def article(self, request: Request) -> Response:
        """Answer with an article in the format of its ending, or the one that Accept prefers."""
        slug, ending = split_ending(request.path_params["name"])
        slug = checked_slug(slug)
        if "at" in request.query_params:
            return await self.versions.at(request, slug, ending)
        offered = (*FORMATS, FRAGMENT) if ending else FORMATS
        how = await self._format(request, slug, ending, offered)
        beside = [self.standings.edition()] if how is HTML else []
        may_remember(request.scope, how.name, self.standings.of(slug), *beside)
        answer = await self.pages.article(slug, how)
        return await respond(request, answer, varies=ending is None)

    async def _format(
        self, request: Request, slug: str, ending: str | None, offered: Sequence[Format]
    ) -> Format:
        """Return the format asked for; of a killed article, any can be asked for.

        Raises:
            HTTPException: there is no such format.
        """
        try:
            return format_of(ending, accept_of(request), offered)
        except HTTPException:
            if await self.pages.elsewhere(slug, how := _for_errors(request)):
                return how
            raise

    async def updates(self, request: Request) -> Response:
        """One page of an article's updates."""
        slug, number = slug_of(request), number_of(request.path_params["number"])
        if number is None:
            return await self.elsewhere(request, "Pages are counted from 1.")
        may_remember(request.scope, HTML.name, self.standings.of(slug))
        return await respond(request, await self.pages.updates(slug, number, _for_errors(request)))

    async def update(self, request: Request) -> Response:
        """Send the reader to the page and place that hold an update."""
        slug, update_id = slug_of(request), request.path_params["update_id"]
        found = await self.pages.place_of(slug, update_id, _for_errors(request))
        if isinstance(found, Answer):
            return await respond(request, found, varies=True)
        count_answer(HTML.name, 302)
        headers = headers_of(LIVE, [key_of(slug)])
        return Response(status_code=302, headers={**headers, "location": found})

    async def corrections(self, request: Request) -> Response:
        """List an article's corrections and retractions."""
        slug, named = slug_of(request), request.url.path.endswith(".json")
        how = JSON if named else await self._format(request, slug, None, (HTML, JSON))
        may_remember(request.scope, how.name, self.standings.of(slug))
        answer = await self.pages.corrections(slug, how)
        return await respond(request, answer, varies=not named)

    async def elsewhere(self, request: Request, detail: str | None = None) -> Response:
        """Say of a killed article that it is, whatever was asked for; else there is nothing."""
        killed = await self.pages.elsewhere(slug_of(request), _for_errors(request))
        if killed is None:
            raise HTTPException(404, detail)
        return await respond(request, killed, varies=True)

    async def changes(self, request: Request) -> Response:
        """What a reader of some version lacks, at once or as soon as there is something."""
        slug = slug_of(request)
        try:
            since, wait, form = since_of(request) or Mark(), wait_of(request), form_of(request)
        except HTTPException:
            if (news := await self.feeds["json"].since(slug, NOWHERE)).kind == "killed":
                return await _told(request, news)
            raise
        may_remember(request.scope, "changes", self.standings.of(slug))
        news = await self.feeds[form].since(slug, since)
        if news.kind == "nothing" and wait:
            await self.waiting.for_news(request, slug, form, news.to, wait)
            news = await self.feeds[form].since(slug, since)
        # What was waited for in vain must not answer who would wait next.
        return await _told(request, news, UNKEPT if wait else POLLED)

    async def asset(self, request: Request) -> Response:
        """Answer with a file that pages link to; its name says its content."""
        asset = ASSETS.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404, "There is no such file; load the page anew.")
        return await respond(request, _file(asset.data, asset.media_type, FOR_EVER))

    async def embed(self, request: Request) -> Response:
        """Answer with the script that shows an article in other sites' pages."""
        script = _file(EMBED_SCRIPT.data, EMBED_SCRIPT.media_type, EMBEDDED)
        return await respond(request, replace(script, headers=_EVERYWHERE))

    async def robots(self, request: Request) -> Response:
        """Keep robots off the streams, where they would wait for ever; name them the sitemap."""
        keyed = self.lending.readers is not None
        robots = _NO_ROBOTS if keyed else f"{ROBOTS}\nSitemap: {self.public_url}/sitemap-news.xml\n"
        return await respond(request, _file(robots.encode(), TEXT.media_type, LIVE))

    async def healthy(self, _request: Request) -> Response:
        """Say that the process lives; nothing else is looked at."""
        return _status(200, orjson.dumps({"status": "ok"}))

    async def ready(self, _request: Request) -> Response:
        """Say whether readers should be sent here, and if not, why."""
        return _status(*report(await self.checks()))

    async def checks(self) -> Mapping[str, Check]:
        """Look whether the engine answers, pages keep up and the outboxes are read."""
        following = "reads the outboxes" if self.hub.following else "has lost the engine"
        checks = await check_engine(self.redis, self.reading.lanes)
        checks["hub"] = Check(self.hub.following, following)
        checks["readers"] = Check(True, f"{len(self.streams)} of {self.streams.limits.readers}")
        checks |= {f"cache {each.name}": each.check() for each in self.telling}
        return checks


def _for_errors(request: Request) -> Format:
    return for_errors(request.url.path, accept_of(request))


async def _told(request: Request, news: News, nothing: Keeping = UNKEPT) -> Response:
    """Tell *news*; where there is none, that may be kept as *nothing* says."""
    if news.kind == "killed":
        return await respond(request, gone(news.head, news.document))
    keys = (key_of(news.head.slug),)
    if news.kind == "nothing":
        count_answer("changes", 204)
        return Response(status_code=204, headers=headers_of(nothing, keys))
    etag = strong(news.to, "changes", news.document)
    return await respond(
        request,
        Answer(news.document, JSON.media_type, "changes", etag=etag, keeping=POLLED, keys=keys),
    )


def _file(data: bytes, media_type: str, keeping: Keeping) -> Answer:
    return Answer(data, media_type, "static", etag=of_bytes(data), keeping=keeping)


def _status(status: int, body: bytes) -> Response:
    return Response(body, status, headers_of(UNKEPT, ()), media_type=JSON.media_type)
