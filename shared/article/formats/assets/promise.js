// Once news is overdue, what an article promises gives way to when there was some: *line* is the
// promise, *time* that of the last change. Nothing is announced: it is not news that there is none.
const keepPromise = (line, time) => {
  if (!line || !time) return;
  const seconds = (Date.now() - new Date(time.dateTime)) / 1000;
  const late = seconds >= line.dataset.overdue;
  const [length, unit] = seconds < 3600 ? [60, "minute"] : seconds < 86400 ? [3600, "hour"] : [86400, "day"];
  const number = Math.trunc(seconds / length);
  const said = `Last update ${number} ${unit}${number === 1 ? "" : "s"} ago`;
  line.kept ??= line.innerHTML;
  if (late ? line.textContent !== said : line.innerHTML !== line.kept) line.innerHTML = late ? said : line.kept;
};

