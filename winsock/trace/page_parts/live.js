// A live page asks its server for newer data, and shows whether the server answers.
let version = 0;

async function poll() {
  let answers = false, news = null;
  try {
    const answer = await fetch(`data.json?version=${version}`, {cache: "no-store"});
    if (answer.status === 200) news = await answer.json();
    answers = answer.ok;
  } catch {
    // The command that serves this page has ended.
  }
  showLive(answers);
  try {
    if (news) {
      version = news.version;
      setData(news);
    }
  } finally {
    setTimeout(poll, 500);
  }
}

function showLive(answers) {
  $("live").hidden = false;
  $("live").className = answers ? "on" : "off";
  $("live").textContent = answers ? "live" : "ended";
  $("live").title = answers ? "New calls appear when they are made" : "The command that serves this page does not answer";
}

poll();
