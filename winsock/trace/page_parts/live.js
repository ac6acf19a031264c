// A live page asks its server for newer data, and shows whether the server answers.
let version = 0;

async function poll() {
  try {
    const answer = await fetch(`data.json?version=${version}`, {cache: "no-store"});
    if (answer.status === 200) {
      const news = await answer.json();
      version = news.version;
      setData(news);
    }
    showLive(answer.ok);
  } catch {
    showLive(false);
  }
  setTimeout(poll, 500);
}

function showLive(answers) {
  $("live").hidden = false;
  $("live").className = answers ? "on" : "off";
  $("live").textContent = answers ? "live" : "ended";
  $("live").title = answers ? "New calls appear when they are made" : "The command that serves this page does not answer";
}

poll();
